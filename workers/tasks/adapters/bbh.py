"""BIG-Bench Hard (Suzgun et al. 2022, arXiv 2210.09261): ``input`` and ``target``.

There are three layouts: options "(A) ..." with the target "(A)"; options "- Yes" with the option's text as the target;
no options. Without options, the whole file decides the format (boolean, number, else text). The options are removed
from the question.

Four published records cannot be asked. In ``movie_recommendation`` (one) and ``ruin_names`` (two) commas inside names
were read as separators, so the target is not a label; one in ``snarks`` has a single option. Such records are left out,
with a warning that counts and names them.
"""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS, AnswerFormat, Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks.adapters.adapter import Adapter
from cotfaith.workers.tasks.ids import item_id
from cotfaith.workers.tasks.values import Record, where, word_of
from cotfaith.workers.text.canonical import canonical_boolean, canonical_number, canonical_text

OPTIONS = re.compile(r"(?:^|\n)Options:")
LABELLED = re.compile(r"\(([A-Z])\)\s*(.*)")
DASHED = re.compile(r"-\s+(.*)")
Free = tuple[AnswerFormat, tuple[str, ...]]
"""The format of the records without options, and the words for true and false."""


def bbh(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one item for each record that can be asked; warn about the others."""
    rows = [(_text(r, "input", path, i), _text(r, "target", path, i)) for i, r in enumerate(records)]
    free = _free_format([target for text, target in rows if not OPTIONS.search(text)])
    found = [_item(item_id(spec.name, i), text, target, free, where(path, i)) for i, (text, target) in enumerate(rows)]
    items = [item for item in found if isinstance(item, Item)]
    _report(path, [f"record {i}: {why}" for i, why in enumerate(found) if isinstance(why, str)], len(rows))
    return items


def _text(record: Record, name: str, path: Path, index: int) -> str:
    return word_of(record, name, path, index).strip()


def _item(item: str, text: str, target: str, free: Free, at: str) -> Item | str:
    """Return the item, or the reason why there is none."""
    if not OPTIONS.search(text):
        return _free_item(item, text, target, *free)
    question, options = OPTIONS.split(text, maxsplit=1)
    choices, targets = _options(options.strip().split("\n"), at)
    if len(choices) < 2:
        return f"only {len(choices)} option"
    if target not in targets:
        return f"target {target!r} is not one of the labels"
    return Item(item, question.strip(), CHOICE_LABELS[targets.index(target)], "choice", choices)


def _options(lines: Sequence[str], at: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the choices' texts, and the target that means each."""
    labelled = [LABELLED.fullmatch(line.strip()) for line in lines]
    if all(labelled):
        found = [(m[1], m[2]) for m in labelled if m]
        if "".join(label for label, _ in found) != CHOICE_LABELS[: len(found)]:
            raise TaskError(f"{at}: the options are not labelled (A), (B), ... in order: {list(lines)}.")
        return tuple(text for _, text in found), tuple(f"({label})" for label, _ in found)
    dashed = [DASHED.fullmatch(line.strip()) for line in lines]
    if all(dashed) and len(dashed) <= len(CHOICE_LABELS):
        texts = tuple(m[1] for m in dashed if m)
        return texts, texts
    raise TaskError(f"{at}: expected options '(A) ...' or '- ...', one per line; got {list(lines)}.")


def _free_format(targets: Sequence[str]) -> Free:
    """Return the format that all targets without options fit, and the words for true and false."""
    if targets and all(canonical_boolean(target) is not None for target in targets):
        return "boolean", _words(targets[0])
    if all(canonical_number(target) is not None for target in targets):
        return "number", ()
    return "text", ()


def _words(example: str) -> tuple[str, str]:
    """Return the pair of words that ``example`` belongs to, in its case: sports_understanding says yes, not Yes."""
    true, false = ("yes", "no") if example.lower() in ("yes", "no") else ("true", "false")
    return (true, false) if example.islower() else (true.capitalize(), false.capitalize())


def _free_item(item: str, text: str, target: str, answer_format: AnswerFormat, words: tuple[str, ...]) -> Item:
    read = {"boolean": canonical_boolean, "number": canonical_number}.get(answer_format, canonical_text)
    return Item(item, text, read(target) or "", answer_format, words)


def _report(path: Path, left_out: list[str], total: int) -> None:
    if len(left_out) == total:
        raise TaskError(f"{path}: no record can be asked; {left_out[0]}.")
    if left_out:
        listed = "; ".join(left_out[:5]) + ("; ..." if len(left_out) > 5 else "")
        warnings.warn(f"{path}: {len(left_out)} of {total} items left out: {listed}.", stacklevel=2)


ADAPTER = Adapter(name="bbh", summary="BIG-Bench Hard, any of its tasks. Suzgun et al. 2022.", read=bbh)
