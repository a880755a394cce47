"""Inspect logs that hold anything: ``cotfaith import`` takes their samples, counts why not, or names what is wrong.

inspect_ai reads them, so these tests need it (``make test-inspect``). ``test_log_archive.py`` has what is checked
before.
"""

import contextlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from commands import in_process
from damage import as_json, changed, clear_error_or_none, damaged, fuzz
from hypothesis import given
from hypothesis import strategies as st

log = pytest.importorskip("inspect_ai.log", reason="inspect_ai is not installed (the extra `inspect`)")

WORDS = ["reasoning", "text", "stop", "success", "assistant", "user", "A", "attachment://x", "eval", "image"]


def members():
    """A log's members by name, as Inspect writes them."""
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ContentReasoning, ContentText, ModelOutput
    from inspect_ai.scorer import Score

    parts = [ContentReasoning(reasoning="Two and three. Five."), ContentText(text="So.\nANSWER: A")]
    said = ModelOutput.from_content("mockllm/model", parts)
    sample = EvalSample(
        id=1,
        epoch=1,
        input="2 + 3?",
        choices=["5", "6"],
        target="A",
        messages=[ChatMessageUser(content="2 + 3?"), ChatMessageAssistant(content=parts)],
        output=said,
        scores={"match": Score(value="C", answer="A")},
    )
    about = EvalSpec(
        created="2026-01-01T00:00:00+00:00",
        task="t",
        dataset=EvalDataset(),
        model="mockllm/model",
        config=EvalConfig(),
    )
    write_eval_log(EvalLog(eval=about, status="success", samples=[sample]), "whole.eval")
    with zipfile.ZipFile("whole.eval") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(found):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in found.items():
            archive.writestr(name, data)
    return sink.getvalue()


@pytest.fixture(scope="module", autouse=True)
def whole(tmp_path_factory):
    """The members of a whole log; the working directory is empty."""
    with contextlib.chdir(tmp_path_factory.mktemp("logs")):
        yield members()


def imported(name, data):
    Path(name).write_bytes(data)
    with clear_error_or_none():
        done = in_process("import", name, "--replace", "--out", "out.jsonl")
        assert done.returncode in (0, 1, 2), done
        assert done.stdout or done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        assert len(done.stderr) < 20_000
    return done


def test_the_log_itself_is_taken(whole):
    assert imported("log.eval", packed(whole)).returncode == 0
    assert json.loads(Path("out.jsonl").read_text())["cot"] == "Two and three. Five."


@fuzz
@given(st.data())
def test_a_damaged_archive_ends_with_a_code(whole, data):
    imported("log.eval", data.draw(damaged(packed(whole))))


@fuzz
@given(st.data())
def test_a_damaged_member_ends_with_a_code(whole, data):
    name = data.draw(st.sampled_from(sorted(whole)))
    imported("log.eval", packed(whole | {name: data.draw(damaged(whole[name]))}))


@fuzz
@given(st.data())
def test_a_changed_member_ends_with_a_code(whole, data):
    name = data.draw(st.sampled_from(sorted(whole)))
    imported("log.eval", packed(whole | {name: as_json(data.draw(changed(json.loads(whole[name]), WORDS)))}))


@fuzz
@given(st.data())
def test_members_that_lack_or_have_another_name_end_with_a_code(whole, data):
    left = data.draw(st.lists(st.sampled_from(sorted(whole)), max_size=2, unique=True))
    found = {name: content for name, content in whole.items() if name not in left}
    other = data.draw(st.sampled_from(["samples/1_epoch_1.json", "samples/x.json", "_journal/start.json", "a", "é"]))
    found[other] = data.draw(st.sampled_from([*whole.values(), b"", b"null", b"[]", b"{}"]))
    imported("log.eval", packed(found))


@fuzz
@given(st.data())
def test_a_damaged_log_in_json_ends_with_a_code(whole, data):
    """Its first bytes stay, so that it is taken for a log."""
    content = as_json(
        {"version": 2, "status": "success"}
        | json.loads(whole["header.json"])
        | {"samples": [json.loads(whole["samples/1_epoch_1.json"])]}
    )
    head = 40
    imported("log.json", content[:head] + data.draw(damaged(content[head:])))


@pytest.mark.parametrize("levels", [900, 20_000, 300_000])
@pytest.mark.parametrize("kind", ["[", '{"a":'])
def test_deep_nesting_ends_with_a_code(whole, levels, kind):
    end = "]" if kind == "[" else "}"
    nested = (kind * levels + "1" + end * levels).encode()
    sample = whole["samples/1_epoch_1.json"].rstrip()[:-1] + b', "metadata": {"x": ' + nested + b"}}"
    imported("log.eval", packed(whole | {"samples/1_epoch_1.json": sample}))
