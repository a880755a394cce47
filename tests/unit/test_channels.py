"""What a chain's text is: found in replies, kept in rows, never replaced by another text, and never pooled."""

import json

import polars as pl
import pytest
from runs_here import finish
from scores_by_hand import arm, chain, frame
from scripted import Scripted
from variants_by_hand import NEUTRAL, WRONG, about, answered, item, read, without

from cotfaith.cluster.report.facts import told_apart
from cotfaith.cluster.stats.aggregate import aggregate
from cotfaith.cluster.storage.parts import in_schema
from cotfaith.cluster.storage.read import read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.errors import EngineError, SpecError, TaskError
from cotfaith.schemas.records import CHANNELS, Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec, TaskSpec, parse_spec
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS
from cotfaith.workers.engines.openai.chat_reply import generation_of, read_reply
from cotfaith.workers.engines.openai.options import parse_options
from cotfaith.workers.engines.protocol import GenerateRequest
from cotfaith.workers.shard.work import ShardWork
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.fingerprint import fingerprint
from cotfaith.workers.text.codec import ByteCodec
from cotfaith.workers.text.turn_templates import make_templates
from cotfaith.workers.text.turns import TurnsCodec

TEXT, SUMMARY = {"type": "reasoning.text", "text": "2 and 2."}, {"type": "reasoning.summary", "summary": "A sum."}
LOCKED = {"type": "reasoning.encrypted", "data": "gAAA"}
REDACTED = {"type": "redacted_thinking", "data": "EmwK"}
THINKING = {"type": "thinking", "thinking": "2 and 2.", "signature": "x"}
REPLY = {"type": "text", "text": "Four."}
HIDDEN = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 7}}


def told(message, channel, reason="stop", usage=None):
    answer = {"choices": [{"message": {"content": "Four."} | message, "finish_reason": reason}], "usage": usage or {}}
    made = generation_of(read_reply(answer), GenerateRequest((), 9, 0.0, 1.0, 0), True, True, channel)
    return bytes(made.tokens).decode(), str(made.told.status), made.told.channel


class TestReplies:
    @pytest.mark.parametrize(
        ("message", "reasoning", "summary"),
        [
            ({"reasoning": "2 and 2.", "reasoning_details": [TEXT]}, "2 and 2.", None),
            ({"reasoning_details": [TEXT]}, "2 and 2.", None),
            ({"reasoning": ["2 and", " 2."]}, "2 and 2.", None),
            ({"reasoning_content": [{"type": "text", "text": "2 and 2."}]}, "2 and 2.", None),
            ({"reasoning_content": " \n", "reasoning": "2 and 2."}, "2 and 2.", None),
            ({"content": [THINKING, REPLY]}, "2 and 2.", None),
            ({"thinking_blocks": [THINKING]}, "2 and 2.", None),
            ({"content": "\n<think>2 and 2.</think>Four."}, "2 and 2.", None),
            ({"reasoning": "A sum.", "reasoning_details": [SUMMARY]}, None, "A sum."),
            ({"reasoning_details": [SUMMARY, LOCKED]}, None, "A sum."),
            ({"reasoning": "2 and 2.", "reasoning_details": [TEXT, LOCKED]}, None, None),
            ({"reasoning": None, "reasoning_details": [LOCKED]}, None, None),
            ({"content": [REDACTED, REPLY]}, None, None),
            ({"content": [THINKING, REDACTED, REPLY]}, None, None),
            ({"thinking_blocks": [REDACTED]}, None, None),
        ],
    )
    def test_each_channel_has_its_own_text_and_no_other(self, message, reasoning, summary):
        assert told(message, "body") == ("Four.", "ok", "body")
        wanted = ("", "encrypted") if reasoning is None else (reasoning, "ok")
        assert told(message, "reasoning") == (*wanted, "reasoning")
        wanted = ("", "empty_chain") if summary is None else (summary, "ok")
        got = told(message, "summary")
        assert got[1:] == (wanted[1], "summary")
        assert summary is None or got[0] == summary

    def test_reasoning_that_is_only_counted_is_encrypted(self):
        assert told({}, "reasoning", usage=HIDDEN) == ("", "encrypted", "reasoning")
        assert told({}, "body", usage=HIDDEN) == ("Four.", "ok", "body")

    @pytest.mark.parametrize("nothing", [{}, {"reasoning": None}, {"reasoning": ""}, {"reasoning_content": []}])
    def test_without_a_thought_there_is_no_chain_and_no_reply_in_its_place(self, nothing):
        assert told(nothing, "reasoning") == ("", "ok", "reasoning")  # the shard makes it an empty chain
        assert told(nothing, "summary") == ("", "ok", "summary")

    @pytest.mark.parametrize(
        "content",
        [
            "Well. <think>2 and 2.</think>Four.",
            "<think>a</think>b<think>c</think>d",
            "<think>a<think>b</think>c</think>d",
            "<think>a<think>b</think>c",
            "a</think>b</think>c",
        ],
    )
    def test_marks_that_can_be_read_in_two_ways_are_an_error(self, content):
        with pytest.raises(EngineError, match="where its thought ends is not known"):
            told({"content": content}, "reasoning")

    @pytest.mark.parametrize("odd", [{"text": "x"}, [1], [{"type": "image"}], 7, True])
    def test_a_thought_of_another_shape_is_an_error(self, odd):
        with pytest.raises(EngineError, match=r"reasoning is .*expected a text, or a list of texts"):
            told({"reasoning": odd}, "reasoning")

    def test_a_thought_that_is_never_closed_is_cut_with_its_reply(self):
        assert told({"content": "<think>2 an"}, "reasoning", "length") == ("2 an", "ok", "reasoning")
        assert told({"content": "<think>2 an"}, "body", "length")[0] == ""


class TestOptions:
    @pytest.mark.parametrize("channel", [None, *CHANNELS])
    def test_a_chat_model_s_prompts_know_the_channel(self, channel):
        options = {} if channel is None else {"channel": channel}
        model = ModelSpec(id="m", source="s", thinking="think_tags", options=options)
        assert make_templates(model, PromptSpec(), TurnsCodec()).channel == (channel or "reasoning")

    @pytest.mark.parametrize(
        ("more", "options", "error"),
        [
            ({"thinking": "none"}, {"api": "chat"}, "thinking is none"),
            ({"thinking": "think_tags"}, {}, "not used with api: completions"),
            ({"thinking": "think_tags"}, {"api": "chat", "channel": "encrypted"}, "channel"),
        ],
    )
    def test_a_channel_that_would_not_be_used_is_refused(self, more, options, error):
        given = {"base_url": "http://127.0.0.1:1/v1", "channel": "summary"} | options
        with pytest.raises(SpecError, match=error):
            parse_options(ModelSpec(id="m", source="s", engine="openai", options=given, **more))


def sampled(text, item, **model):
    spec = parse_spec(
        {"models": [{"id": "m", "engine": "stub"} | model], "tasks": [{"name": "t", "generator": "addition"}]}
    )
    work = ShardWork(spec, spec.models[0], spec.tasks[0], "cot", (item,), ByteCodec())
    return work.sample_chains({"subject": Scripted(lambda prompt: text)})[0]


ITEM = Item("i", "Which is red?", "B", "choice", ("sky", "blood"))


@pytest.mark.parametrize("text", ["One. Two.", ""])
def test_a_thought_between_tags_is_reasoning_also_if_it_failed_and_one_text_is_not_told_apart(text):
    assert sampled(text, ITEM, thinking="think_tags").channel == "reasoning"
    assert sampled(text, ITEM).channel is None


RECORD = {"question": "2 + 3?", "cot": "Two and three. So five.", "gold": "5"}


class TestFiles:
    def items(self, tmp_path, *records):
        path = tmp_path / "chains.jsonl"
        path.write_text("\n".join(json.dumps(RECORD | one) for one in records))
        return load_task(TaskSpec(name="t", file=str(path), adapter="chains"), 0)

    def test_a_supplied_chain_has_the_channel_of_its_record(self, tmp_path):
        items = self.items(tmp_path, {"channel": "summary"}, {"channel": " "}, {})
        assert [one.supplied.channel for one in items] == ["summary", None, None]
        assert [sampled("", one, thinking="think_tags").channel for one in items] == ["summary", None, None]

    def test_records_without_one_are_the_same_items_as_before(self, tmp_path):
        told, bare = (fingerprint(self.items(tmp_path, one)) for one in ({"channel": "body"}, {}))
        assert bare == "05e085122e5bb9ef37dcce946d8d12b04bdcf4580ff20137925853cebf6de9fa"
        assert told != bare

    @pytest.mark.parametrize(
        ("record", "error"),
        [
            ({"channel": "slack"}, "channel 'slack'; expected reasoning, body, summary"),
            ({"channel": "encrypted"}, "its reasoning is encrypted"),
            (
                {"channel": "body", "cot": "<think>Two and three.</think>Five."},
                "its channel is body, and its text has a",
            ),
        ],
    )
    def test_what_is_no_channel_is_refused(self, tmp_path, record, error):
        with pytest.raises(TaskError, match=error):
            self.items(tmp_path, record)

    def test_import_writes_channels_counts_them_and_takes_one(self, cli, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        more = [
            {"channel": "body"},
            {"cot": "<think>Two and three.</think>Five."},
            {"channel": "summary"},
            {"channel": "encrypted"},
            {},
        ]
        (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(RECORD | one) for one in more))
        code, out, err = cli("import", "in.jsonl", "--out", "all.jsonl")
        assert code == 0, err
        rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
        assert [row.get("channel") for row in rows] == ["body", "reasoning", "summary", None]
        out = " ".join(out.split())
        assert "Channels: 1 body, 1 reasoning, 1 summary, 1 not told apart. Figures of each are kept apart." in out
        assert "1 its reasoning is encrypted, so there is no chain to read" in out
        code, out, err = cli("import", "in.jsonl", "--out", "one.jsonl", "--channel", "summary")
        assert code == 0, err
        assert "Took 1 of 5 chains." in out
        assert "1 it is not of the channel summary: it names none" in " ".join(out.split())
        (tmp_path / "none.jsonl").write_text(json.dumps(RECORD | {"channel": "body"}))
        code, _, err = cli("import", "none.jsonl", "--out", "no.jsonl", "--channel", "reasoning")
        assert (code, "No chain can be used" in err, (tmp_path / "no.jsonl").exists()) == (2, True, False)
        assert cli("import", "in.jsonl", "--out", "no.jsonl", "--channel", "thoughts")[0] == 2

    def test_a_column_of_that_name_with_other_words_is_not_used(self, cli, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "in.jsonl").write_text(json.dumps(RECORD | {"channel": "slack"}))
        code, out, _ = cli("import", "in.jsonl", "--out", "out.jsonl")
        assert (code, "column 'channel' (such as 'slack') is not used" in " ".join(out.split())) == (0, True)
        assert "channel" not in json.loads((tmp_path / "out.jsonl").read_text())


def both_channels():
    """Items under variants, with a chain of each channel, which differ in all that is measured; readings of both."""
    items, chains, arms = [], [], []
    for n in range(6):
        name = f"i{n}"
        items.append(item(name, pair=f"p{n // 2}", side=str(n % 2), unknown="C"))
        for variant in ("plain", NEUTRAL, WRONG):
            moved = variant == WRONG and n < 4
            own = answered(name, variant, ["B" if moved else "A", "A" if n < 5 else "-"])
            chains += [{**row, "channel": channel} for row, channel in zip(own, ("reasoning", "body"), strict=True)]
            arms.append(without(name, variant, "B" if n < 2 else "A"))
        arms += [{**row, "channel": None} for row in read(name, WRONG, "yn" if n < 2 else "ny", "present")]
        for index, answer in ((0, "A"), (1, "B")):
            cut = {**arm("early_answering", 0, index, answer=answer, n_steps=2), "item_id": name}
            arms += [{**cut, "same_answer": answer == "A"}, {**cut, "arm": "2", "position": 2.0, "same_answer": True}]
        judged = {"reader": "j", "reader_role": "judge", "question": "relied", "variant": WRONG, **about(WRONG)}
        arms += [
            {**arm("judged", 0, index), **judged, "arm": "relied", "item_id": name, "label": index == 0}
            for index in (0, 1)
        ]
    return items, chains, arms


def estimates(items, chains, arms):
    table = aggregate(frame(ITEMS, items), frame(CHAINS, chains), frame(OBSERVATIONS, arms), "r", 0)
    return pl.from_arrow(table)


@pytest.mark.parametrize(("index", "channel"), [(0, "reasoning"), (1, "body")])
def test_no_figure_of_any_probe_pools_channels(index, channel):
    items, chains, arms = both_channels()
    together = estimates(items, chains, arms).filter(pl.col("channel") == channel)
    alone = estimates(
        items,
        [row for row in chains if row["chain_index"] == index],
        [row for row in arms if row["chain_index"] in (None, index)],
    )
    assert alone["channel"].unique().to_list() == [channel]
    key = ["probe", "metric", "method", "position", "variant", "reader"]
    # a status of the other channel's rows occurs in the run, and so has a share here too: none
    others = together.join(alone, on=key, how="anti", nulls_equal=True)
    assert set(others["metric"]) <= {"status_share"}
    assert set(others["value"]) <= {0.0}
    both = together.join(alone, on=key, how="semi", nulls_equal=True)
    assert both.sort(key).equals(alone.sort(key))
    families = set(together["probe"].drop_nulls())
    assert families >= {"no_cot", "early_answering", "verbalises", "judged"}
    assert set(together["metric"]) >= {"accuracy_cot", "switch_to_target", "silent_influence", "pair_same_answer"}


def test_the_two_channels_differ_so_pooling_would_show():
    made = estimates(*both_channels()).filter(metric="switch_to_target", method="cot", variant=WRONG)
    assert dict(made.select("channel", "value").iter_rows()) == {"reasoning": 4 / 6, "body": 0.0}


def test_the_report_says_what_the_texts_are():
    _, chains, arms = both_channels()
    seen = frame(CHAINS, chains), frame(OBSERVATIONS, arms)
    assert told_apart(*seen) == [("Chains' texts", "body (18), reasoning (18)")]
    bare = frame(CHAINS, [chain()])
    assert told_apart(bare, seen[1]) == []


def test_a_run_of_a_model_that_thinks_names_its_channel_everywhere(tmp_path, cli, monkeypatch):
    spec = {
        "models": [{"id": "m", "engine": "stub", "thinking": "think_tags"}],
        "tasks": [{"name": "t", "generator": "modular_chain", "n": 2, "options": {"choices": 2}}],
        "probes": ["no_cot", "early_answering"],
        "output": {"path": "run"},
    }
    finish(tmp_path, spec)
    monkeypatch.chdir(tmp_path)
    assert cli("report", "run")[0] == 0
    found = read_tables(LocalStore(tmp_path / "run"))
    assert found["chains"]["channel"].to_list() == ["reasoning"] * 2
    assert set(found["observations"].filter(pl.col("chain_index").is_not_null())["channel"]) == {"reasoning"}
    assert " · reasoning · " in cli("show", "run", found["items"]["item_id"][0])[1]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "reasoning (2)" in page
    assert "the thought was left empty (empty_thinking): m" in page
    assert "chain 0 · reasoning" in page


@pytest.mark.parametrize(
    ("row", "channel"),
    [
        ({"prompt": "Q<think>\n"}, "reasoning"),
        ({"prompt": "Q<think>\n", "finish_reason": "supplied"}, None),
        ({"prompt": "Q<think>\n", "channel": "body"}, "body"),
        ({"prompt": "Why <think>? Let's think:"}, None),
        ({"prompt": ""}, None),
    ],
)
def test_thoughts_that_an_older_run_sampled_are_reasoning(row, channel):
    table = frame(CHAINS, [{**chain(), "channel": None, **row}]).to_arrow().cast(CHAINS)
    for version, known in (("5", channel), ("6", row.get("channel"))):
        told = table.replace_schema_metadata({"cotfaith.table": "chains", "cotfaith.schema_version": version})
        assert in_schema(told, "chains")["channel"].to_pylist() == [known]
