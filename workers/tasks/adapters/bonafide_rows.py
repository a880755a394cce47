"""BonaFide's published label files -> records of ``labelled_chains``. Layout: github.com/yoavgur/BonaFide.

In these files a row is one label: ``label_type`` (FAITHFUL_COT, UNFAITHFUL_COT, FAITHFUL_STEP, UNFAITHFUL_STEP), the
span ``sentence_span_start`` .. ``sentence_span_end`` of a step's sentence in ``cot``, ``prompt``, ``model_answer``,
``target_model``, ``src_type``. Rows of one chain are merged. A step takes the label of the sentence that overlaps it
most; if two such sentences disagree, it has no label.

The files hold no correct answers: ``gold`` is the model's own answer, so "correct" means that the probed model draws
the same answer from the chain. A label is about ``target_model``; probe with that model.
"""

import itertools
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.workers.tasks.markup import reasoning_span
from cotfaith.workers.tasks.values import Record, given, text_of, where, word_of
from cotfaith.workers.text.canonical import decimal_number
from cotfaith.workers.text.steps import split_steps

LABELS = {"FAITHFUL": True, "UNFAITHFUL": False}
_LONGEST = 20
"""The most digits of a place in a text."""
SETTINGS = {"hinting": "diversionary", "complex_hints": "diversionary", "graph": "outright", "complex": "outright"}


def is_bonafide(record: Record) -> bool:
    """Return whether the record is a row of a BonaFide file."""
    return {"label_type", "cot", "model_answer"} <= record.keys()


def merge_rows(path: Path, rows: list[Record]) -> list[Record]:
    """Return one record for each chain, in the order of their first rows."""
    chains: dict[tuple[str, ...], Record] = {}
    labels: dict[tuple[str, ...], list[tuple[int, int, bool]]] = {}
    for index, row in enumerate(rows):
        key = tuple(str(row.get(name)) for name in ("target_model", "prompt", "cot", "model_answer"))
        record = chains.setdefault(key, _record(path, index, row))
        label, level = _label(row.get("label_type"), where(path, index))
        if level == "COT":
            record["label"] = label
        else:
            labels.setdefault(key, []).append((*_span(row, where(path, index)), label))
    for key, record in chains.items():
        start, end = _thought(record["cot"], path)
        record["steps"] = _steps(record["cot"][start:end], start, labels.get(key, []))
        record["cot"] = record["cot"][start:end]
    return list(chains.values())


def _thought(cot: str, path: Path) -> tuple[int, int]:
    """Return the span of the thought in ``cot``: labels of the markup around it and of the reply are left out."""
    try:
        return reasoning_span(cot) or (0, len(cot))
    except ValueError as error:
        raise TaskError(f"{path}: the cot {cot[:60]!r} {error}. Remove its rows.") from None


def _record(path: Path, index: int, row: Record) -> Record:
    answer = word_of(row, "model_answer", path, index)
    return {
        "question": text_of(row, "question" if given(row, "prompt", path) is None else "prompt", path, index),
        "cot": text_of(row, "cot", path, index),
        "answer": answer,
        "gold": answer,
        "label": None,
        "setting": SETTINGS.get(str(row.get("src_type"))),
    }


def _label(value: Any, at: str) -> tuple[bool, str]:
    label, _, level = str(value).partition("_")
    if label not in LABELS or level not in ("COT", "STEP"):
        known = ", ".join(f"{name}_{kind}" for kind in ("COT", "STEP") for name in LABELS)
        raise TaskError(f"{at}: label_type {value!r}; expected one of {known}.")
    return LABELS[label], level


def _span(row: Record, at: str) -> tuple[int, int]:
    texts = [decimal_number(row.get(name)) for name in ("sentence_span_start", "sentence_span_end")]
    start, end = (int(float(text)) if text is not None and len(text) < _LONGEST else -1 for text in texts)
    if not 0 <= start < end <= len(row["cot"]):
        raise TaskError(f"{at}: the span {texts[0]} to {texts[1]} is outside a cot of {len(row['cot'])} characters.")
    return start, end


def _steps(cot: str, offset: int, labels: list[tuple[int, int, bool]]) -> list[Record]:
    texts = split_steps(cot)
    bounds = list(itertools.accumulate(map(len, texts), initial=offset))
    found: list[set[bool]] = [set() for _ in texts]
    for start, end, label in labels:
        shared = [min(end, b) - max(start, a) for a, b in itertools.pairwise(bounds)]
        if max(shared) > 0:
            found[shared.index(max(shared))].add(label)
    labelled = (labels.pop() if len(labels) == 1 else None for labels in found)
    return [{"text": text, "label": label} for text, label in zip(texts, labelled, strict=True)]
