"""The chain in a text with complete or partial reasoning markup."""

import json
from pathlib import Path

import pytest

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task
from cotfaith.workers.tasks.markup import reasoning_span

THOUGHT = "Two and three.\nSo five."
REPLY = "It is **5**."


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{THOUGHT}\n</think>\n\n{REPLY}",
        f"<think>{THOUGHT}</think>",
        f"{THOUGHT}\n</think>\n\n{REPLY}",
        f"<thinking>\n{THOUGHT}\n</thinking>\n{REPLY}",
        f"<reasoning>{THOUGHT}</reasoning><answer>5</answer>",
        f"<THINK>{THOUGHT}</THINK>{REPLY}",
        f'<think type="deep">{THOUGHT}</think>{REPLY}',
        f"&lt;think&gt;{THOUGHT}&lt;/think&gt;{REPLY}",
        f"<scratchpad>{THOUGHT}</scratchpad>{REPLY}",
        f"[THINK]{THOUGHT}[/THINK]{REPLY}",
        f"◁think▷{THOUGHT}◁/think▷{REPLY}",
        f"<|begin_of_thought|>\n\n{THOUGHT}\n\n<|end_of_thought|>\n<|begin_of_solution|>{REPLY}",
        f"<|START_THINKING|>{THOUGHT}<|END_THINKING|>{REPLY}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{REPLY}<|return|>",
        f"<|start|>assistant<|channel|>analysis<|message|>{THOUGHT}<|end|>",
        f"{THOUGHT}<|channel|>final<|message|>{REPLY}",
        f"analysis{THOUGHT}assistantfinal{REPLY}",
        f"<|im_start|>assistant\n<think>\n{THOUGHT}\n</think>\n{REPLY}<|im_end|>",
        f"<unused94>thought\n{THOUGHT}<unused95>{REPLY}",
    ],
)
def test_the_thought_is_the_chain(text: str) -> None:
    span = reasoning_span(text)
    assert span is not None
    assert text[span.start : span.end] == THOUGHT


@pytest.mark.parametrize(
    "text",
    [
        THOUGHT,
        "If a < b and b > c, think.",
        "a <b> c </b>",
        "He thinks <hard>.",
        "</p> think </p>",
        "[think] of it",
        "",
    ],
)
def test_text_without_markup_is_all_chain(text: str) -> None:
    assert reasoning_span(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"<think>\n{THOUGHT}", "never closes it, so its thought was cut"),
        (f"<|channel|>analysis<|message|>{THOUGHT}", "never closes it"),
        (f"<think>\n\n</think>\n\n{REPLY}", "has a thought without words"),
        (f"</think>{REPLY}", "has a thought without words"),
        (f"Let me see. <think>{THOUGHT}</think>{REPLY}", "has text before its '<think>'"),
        (f"<think>a</think>b<think>{THOUGHT}</think>", "has several marks of reasoning"),
        (f"<think>{THOUGHT} <think> again </think>{REPLY}", "has several marks"),
        (f"{THOUGHT}</think>{REPLY}<think>", "has text before its"),
    ],
)
def test_half_thoughts_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        reasoning_span(text)
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"question": "?", "gold": "5", "cot": text}))
    with pytest.raises(TaskError, match=rf"record 0 \(counted from 0\): field 'cot' .*{reason}"):
        load_task(TaskSpec(name="t", file=str(path), adapter="chains"), 0)


def test_an_item_has_the_thought_only(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"question": "?", "gold": "5", "cot": f"<think>\n{THOUGHT}\n</think>\n{REPLY}"}))
    (item,) = load_task(TaskSpec(name="t", file=str(path), adapter="chains"), 0)
    assert list(item.supplied.steps) == [" Two and three.\n", "So five."]


@pytest.mark.parametrize("steps", [["<think>", "Two.", "</think>", "5"], ["Two.</think>", "5"], ["<think>Two."]])
@pytest.mark.parametrize("field", ["steps", "cot"])
def test_steps_with_marks_are_refused(tmp_path: Path, steps: list[str], field: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"question": "?", "gold": "5", field: steps}))
    with pytest.raises(TaskError, match=r"record 0 .*the steps"):
        load_task(TaskSpec(name="t", file=str(path), adapter="chains"), 0)


def test_bonafide_labels_outside_the_thought_are_left_out(tmp_path: Path) -> None:
    cot = f"<think>\n{THOUGHT}\n</think>\n{REPLY}"
    row = {"prompt": "?", "cot": cot, "model_answer": "5", "target_model": "m", "src_type": "graph"}
    path = tmp_path / "c.jsonl"
    rows = [
        row
        | {"label_type": "FAITHFUL_STEP", "sentence_span_start": cot.index(text), "sentence_span_end": len(cot) - cut}
        for text, cut in (("So five.", len(REPLY) + 9), (REPLY, 0))
    ]
    path.write_text("\n".join(json.dumps(one) for one in rows))
    (item,) = load_task(TaskSpec(name="t", file=str(path), adapter="labelled_chains"), 0)
    assert item.supplied.steps == (" Two and three.\n", "So five.")
    assert item.supplied.step_labels == (None, True)
