"""``cotfaith import`` on real Inspect logs, made by Inspect itself with a scripted model."""

import json
import sys

import pytest

from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def items_of(path):
    return load_task(TaskSpec(name="chains", file=str(path), adapter="chains"), 0)


def test_without_inspect_ai_its_logs_are_refused_with_a_way_out(cli, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    (folder / "log.eval").write_bytes(b"x")
    code, _, err = cli("import", "log.eval", "--out", "o.jsonl")
    assert code == 2
    assert "pip install 'cotfaith[inspect]'" in err


class TestInspect:
    @pytest.fixture(scope="class")
    def inspect_ai(self):
        return pytest.importorskip("inspect_ai", reason="inspect_ai is not installed (the extra `inspect`)")

    @pytest.fixture
    def log(self, inspect_ai, folder):
        """A function that runs samples through Inspect and returns the log's path."""
        from inspect_ai.dataset import MemoryDataset, Sample
        from inspect_ai.model import ModelOutput, ModelUsage, get_model

        def made(outputs, samples, solver, scorer, log_format="eval", epochs=1):
            said = [o if isinstance(o, ModelOutput) else ModelOutput.from_content("mockllm/model", o) for o in outputs]
            for output in said:
                output.usage = ModelUsage()  # otherwise tokens are counted with a vocabulary from the network
            task = inspect_ai.Task(
                dataset=MemoryDataset([Sample(**sample) for sample in samples]), solver=solver, scorer=scorer
            )
            model = get_model("mockllm/model", custom_outputs=said)
            (done,) = inspect_ai.eval(
                task, model=model, display="none", log_dir=str(folder / "logs"), log_format=log_format, epochs=epochs
            )
            return done.location

        return made

    def test_texts_with_a_last_line(self, log, cli, folder):
        from inspect_ai.scorer import choice
        from inspect_ai.solver import multiple_choice

        samples = [{"id": i, "input": f"Question {i}?", "choices": ["x", "y"], "target": "B"} for i in range(2)]
        path = log(["First x. Then y.\n\nANSWER: B", "It is x.\nANSWER: A"], samples, multiple_choice(), choice())
        code, out, err = cli("import", path, "--out", "out.jsonl")
        assert code == 0, err
        one, other = written(folder / "out.jsonl")
        assert (one["question"], one["cot"], one["choices"]) == ("Question 0?", "First x. Then y.\n", ["x", "y"])
        assert (one["gold"], one["answer"], one["author"]) == ("B", "B", "mockllm/model")
        assert (other["cot"], other["answer"]) == ("It is x.", "A")
        assert [item.gold for item in items_of(folder / "out.jsonl")] == ["B", "B"]
        assert "2 choice" in out

    def test_reasoning_is_the_chain(self, log, cli, folder):
        from inspect_ai.model import ContentReasoning, ContentText, ModelOutput
        from inspect_ai.scorer import match
        from inspect_ai.solver import generate

        content = [ContentReasoning(reasoning="Two and three. Five."), ContentText(text="5")]
        path = log(
            [ModelOutput.from_content("mockllm/model", content)],
            [{"input": "2 + 3?", "target": "5"}],
            generate(),
            match(),
        )
        assert cli("import", path, "--out", "out.jsonl")[0] == 0
        (record,) = written(folder / "out.jsonl")
        assert (record["cot"], record["answer"], record["gold"]) == ("Two and three. Five.", "5", "5")

    def test_epochs_are_chains_of_their_own(self, log, cli, folder):
        from inspect_ai.scorer import match
        from inspect_ai.solver import generate

        sample = {"id": "s", "input": "2 + 3?", "target": "5"}
        path = log(["One way.\nANSWER: 5", "Other.\nANSWER: 6"], [sample], generate(), match(), epochs=2)
        assert cli("import", path, "--out", "out.jsonl")[0] == 0
        assert len({item.id for item in items_of(folder / "out.jsonl")}) == 2
        assert {record["cot"] for record in written(folder / "out.jsonl")} == {"One way.", "Other."}

    def test_the_json_layout_is_recognised(self, log, cli, folder):
        from inspect_ai.scorer import match
        from inspect_ai.solver import generate

        path = log(["Hm. Five.\nANSWER: 5"], [{"input": "2 + 3?", "target": "5"}], generate(), match(), "json")
        assert path.endswith(".json")
        assert cli("import", path, "--out", "out.jsonl")[0] == 0
        assert written(folder / "out.jsonl")[0]["cot"] == "Hm. Five."

    def test_samples_without_a_usable_chain_are_counted(self, log, cli, folder):
        from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ContentReasoning, ModelOutput
        from inspect_ai.scorer import match
        from inspect_ai.solver import generate

        talk = [ChatMessageUser(content="a?"), ChatMessageAssistant(content="b"), ChatMessageUser(content="c?")]
        samples = [
            {"input": "ok?", "target": "5"},
            {"input": talk, "target": "5"},
            {"input": "several?", "target": ["5", "6"]},
            {"input": "cut?", "target": "5"},
            {"input": "hidden?", "target": "5"},
        ]
        cut = ModelOutput.from_content("mockllm/model", "On and on", stop_reason="max_tokens")
        hidden = ModelOutput.from_content("mockllm/model", [ContentReasoning(reasoning="gAAAA", redacted=True)])
        outputs = ["Well. Five.\nANSWER: 5", "b", "b", cut, hidden]
        path = log(outputs, samples, generate(), match())
        code, out, err = cli("import", path, "--out", "out.jsonl")
        assert code == 0, err
        assert "Took 1 of 5 chains." in out
        for reason in ("is a conversation", "no target, or several", "cut at the limit", "no readable chain"):
            assert reason in out

    def test_shuffled_choices_are_left_out(self, log, cli, folder):
        from inspect_ai.scorer import choice
        from inspect_ai.solver import multiple_choice

        samples = [{"input": "Which?", "choices": ["x", "y"], "target": "B"}]
        path = log(["It is y.\nANSWER: B"], samples, multiple_choice(shuffle=True), choice())
        code, _, err = cli("import", path, "--out", "out.jsonl")
        assert code == 2
        assert "its choices were shuffled" in err

    def test_a_file_that_is_no_log(self, inspect_ai, cli, folder):
        (folder / "log.eval").write_bytes(b"not a log")
        code, _, err = cli("import", "log.eval", "--out", "out.jsonl")
        assert code == 2
        assert "log.eval: not a whole Inspect log (a zip file)" in err


@pytest.fixture
def inspect_log():
    return pytest.importorskip("inspect_ai.log", reason="inspect_ai is not installed (the extra `inspect`)")


class TestWholeSamples:
    """Samples changed after the run, to match those of other models and harnesses."""

    @pytest.fixture
    def take(self, inspect_log, cli, folder):
        """A function that changes one sample and imports it: (code, records, output)."""
        from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
        from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput

        def run(
            output="Two and three. So five.\nANSWER: 5", stop="stop", change=None, name="log.eval", options=(), **sample
        ):
            said = ModelOutput.from_content("mockllm/model", output, stop_reason=stop)
            made = EvalSample(
                id=1,
                epoch=1,
                input=sample.pop("input", "2 + 3?"),
                target=sample.pop("target", "5"),
                messages=[ChatMessageUser(content="2 + 3?"), ChatMessageAssistant(content=said.completion)],
                output=said,
                **sample,
            )
            about = EvalSpec(
                created="2026-01-01T00:00:00+00:00",
                task="t",
                dataset=EvalDataset(),
                model="mockllm/model",
                config=EvalConfig(),
            )
            log = EvalLog(eval=about, status="success", samples=[made])
            if change is not None:
                change(log)
            write_eval_log(log, name)
            code, out, err = cli("import", name, "--out", "out.jsonl", "--replace", *options)
            rows = written(folder / "out.jsonl") if code == 0 else []
            return code, rows, " ".join((out + err).split())

        return run

    def test_a_whole_one_is_taken(self, take):
        code, (record,), _ = take()
        assert (code, record["cot"], record["answer"]) == (0, "Two and three. So five.", "5")

    @pytest.mark.parametrize(
        ("stop", "reason"),
        [
            ("max_tokens", "cut at the limit of tokens"),
            ("model_length", "cut at the end of the model's context"),
            ("content_filter", "withheld by a content filter"),
            ("tool_calls", "its output is a tool call"),
            ("unknown", "did not end by itself (stop reason 'unknown')"),
        ],
    )
    def test_only_outputs_that_ended_by_themselves(self, take, stop, reason):
        code, _, out = take(stop=stop)
        assert code == 2
        assert "Left out: 1" in out
        assert reason in out

    @pytest.mark.parametrize(
        "output",
        ["5", "ANSWER: 5", "**5**", "\\boxed{5}", "The answer is 5.\nANSWER: 5", "5\n\nANSWER: 5", "Final answer: 5"],
    )
    def test_an_answer_is_no_chain(self, take, output):
        code, _, out = take(output)
        assert code == 2
        assert "consists of only an answer" in out or "no readable chain besides the answer" in out

    def test_a_thought_in_its_markup_is_the_chain(self, take):
        assert take("<think>\nTwo and three.\n</think>\nIt is 5.\nANSWER: 5")[1][0]["cot"] == "Two and three."
        assert take("Two and three.\n</think>\nIt is 5.")[1][0]["cot"] == "Two and three."
        code, _, out = take("<think>\nTwo and")
        assert (code, "its thought was cut" in out) == (2, True)

    @pytest.mark.parametrize("kind", ["image", "audio", "video", "document"])
    def test_a_question_of_more_than_text(self, take, kind):
        from inspect_ai.model import (
            ChatMessageUser,
            ContentAudio,
            ContentDocument,
            ContentImage,
            ContentText,
            ContentVideo,
        )

        url = "data:text/plain;base64,aGk="
        part = {
            "image": ContentImage(image=url),
            "audio": ContentAudio(audio=url, format="mp3"),
            "video": ContentVideo(video=url, format="mp4"),
            "document": ContentDocument(document=url, filename="a.txt", mime_type="text/plain"),
        }[kind]
        code, _, out = take(input=[ChatMessageUser(content=[ContentText(text="What is this?"), part])])
        assert code == 2
        assert f"its question has a part of type '{kind}'" in out

    def test_a_question_with_files(self, take):
        code, _, out = take(files=["data.csv"])
        assert (code, "files besides its text" in out) == (2, True)

    def test_a_message_of_text_parts_is_its_text(self, take):
        from inspect_ai.model import ChatMessageUser, ContentText

        (record,) = take(input=[ChatMessageUser(content=[ContentText(text="2 + 3?")])])[1]
        assert record["question"] == "2 + 3?"

    def test_system_messages_are_counted(self, take):
        from inspect_ai.model import ChatMessageSystem, ChatMessageUser

        def with_system(log):
            log.samples[0].messages.insert(0, ChatMessageSystem(content="Be brief."))

        for given in (
            {"change": with_system},
            {"input": [ChatMessageSystem(content="x"), ChatMessageUser(content="?")]},
        ):
            code, rows, out = take(**given)
            assert (code, len(rows)) == (0, 1)
            assert "1 chains were sampled after a system message, which is left out" in out

    def test_the_last_of_several_turns_is_left_out(self, take):
        from inspect_ai.model import ChatMessageAssistant, ChatMessageUser

        def criticise(log):
            log.samples[0].messages += [ChatMessageUser(content="Sure?"), ChatMessageAssistant(content="Yes.")]

        code, _, out = take(change=criticise)
        assert (code, "the last of several turns" in out) == (2, True)

    def test_limits_and_errors(self, take):
        from inspect_ai.log import EvalSampleLimit

        code, _, out = take(limit=EvalSampleLimit(type="token", limit=5))
        assert (code, "stopped by a limit (token)" in out) == (2, True)

        def fail(log):
            log.samples[0].output.error = "overloaded"

        code, _, out = take(change=fail)
        assert (code, "it ended with an error" in out) == (2, True)

    def test_hidden_reasoning_in_part(self, take):
        from inspect_ai.model import ContentReasoning, ContentText

        parts = [
            ContentReasoning(reasoning="Two."),
            ContentReasoning(reasoning="gA", redacted=True),
            ContentText(text="5"),
        ]
        code, _, out = take(parts)
        assert (code, "the reasoning is hidden" in out) == (2, True)

    @pytest.mark.parametrize(
        ("channel", "given", "wanted"),
        [
            (None, "both", ("Two and three.", "reasoning")),
            ("reasoning", "both", ("Two and three.", "reasoning")),
            ("body", "both", ("So it is five.", "body")),
            ("summary", "both", "its output has no summary of its reasoning"),
            (None, "locked", "hidden or encrypted (it has a summary: --channel summary)"),
            ("reasoning", "locked", "the reasoning is hidden or encrypted"),
            ("summary", "locked", ("It adds.", "summary")),
            ("body", "locked", ("So it is five.", "body")),
            ("summary", "half", "only a part of its reasoning has a summary"),
            (None, "blank", "its reasoning has no words"),
            ("body", "blank", ("So it is five.", "body")),
            (None, "tags", ("Two and three.", "reasoning")),
            ("body", "tags", ("So it is five.", "body")),
            (None, "text", ("So it is five.", "body")),
            ("reasoning", "text", "its output has no reasoning, only a reply (--channel body)"),
            ("summary", "text", "its output has no summary of its reasoning"),
            ("body", "open", "its thought was cut"),
            (None, "two", "several marks of reasoning"),
            ("body", "before", "has text before its '<think>'"),
        ],
    )
    def test_a_chain_is_of_the_channel_that_was_asked_for_and_no_other(self, take, channel, given, wanted):
        from inspect_ai.model import ContentReasoning, ContentText

        said, thought = "So it is five.\nANSWER: 5", "<think>Two and three.</think>"
        reply = ContentText(text=said)
        locked = ContentReasoning(reasoning="gAAA", redacted=True, summary="It adds.")
        output = {
            "both": [ContentReasoning(reasoning="Two and three.", signature="x"), reply],
            "locked": [locked, reply],
            "half": [locked, ContentReasoning(reasoning="gBBB", redacted=True), reply],
            "blank": [ContentReasoning(reasoning=" \n"), reply],
            "tags": thought + said,
            "text": said,
            "open": "<think>Two and three. " + said,
            "two": thought * 2 + said,
            "before": "Well. " + thought + said,
        }[given]
        code, rows, out = take(output, options=() if channel is None else ("--channel", channel))
        if isinstance(wanted, str):
            assert (code, "Left out: 1" in out, wanted in out) == (2, True, True)
        else:
            assert [(row["cot"], row["channel"]) for row in rows] == [wanted]
            assert items_of("out.jsonl")[0].supplied.channel == wanted[1]

    def test_a_letter_as_target_needs_choices(self, take):
        code, _, out = take("It is y. So B.\nANSWER: B", target="B")
        assert (code, "the log has no choices" in out) == (2, True)
        assert take("It is y. So B.\nANSWER: B", target="B", choices=["x", "y"])[1][0]["gold"] == "B"

    @pytest.mark.parametrize("name", ["log.eval", "log.json"])
    @pytest.mark.parametrize("status", ["success", "error", "cancelled", "started"])
    def test_a_log_without_samples_says_so(self, take, name, status):
        from inspect_ai.log import EvalResults

        def header_only(log):
            log.samples, log.status = None, status
            log.results = EvalResults(total_samples=3, completed_samples=3)

        code, _, out = take(change=header_only, name=name)
        assert code == 2
        assert "Left out: 0" not in out
        for text in (
            f"{name}: this log has no samples (status: {status})",
            "3 samples were run",
            "Use the complete log",
        ):
            assert text in out

    def test_a_log_that_did_not_end_well_is_said(self, take):
        def cancel(log):
            log.status = "cancelled"

        code, rows, out = take(change=cancel)
        assert (code, len(rows)) == (0, 1)
        assert "did not succeed (status: cancelled); the log has 1 samples" in out
