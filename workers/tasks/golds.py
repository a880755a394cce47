"""The choice that an item's gold means, decided from the whole column.

A gold may be
- a label: the file's own, or "B", "(B)", "b", "B)", "B.";
- a choice's text, with or without its letter before it; case counts only if two choices need it;
- an index from 0, as a number or, in a CSV, as text.

If all golds of a file are whole numbers, one reading must fit all of them, because numbers can also be texts of the
choices, or count from 1. Two readings that differ are an error that names the setting ``gold_is``. A column does not
count from 0 if it reaches the number of choices and never 0, or if chance alone would almost surely give it a 0 and it
has none. If the golds are texts of the choices and not indexes from 0, they must not differ from indexes from 1 either.
Otherwise each gold is read by itself, and a gold with two readings is an error.
"""

import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS
from cotfaith.schemas.spec import GoldIs
from cotfaith.workers.tasks.choices import Choices
from cotfaith.workers.tasks.lettered import LABEL, split_letter
from cotfaith.workers.tasks.values import Record, field_of, kind_of, scalar_text, where

READINGS: tuple[GoldIs, ...] = ("label", "text", "index")
_WHOLE = re.compile(r"(-?(?:0|[1-9]\d{0,8}))(?:\.0+)?")
_CHANCE = 1e-3
"""A column without a 0 is read as counting from 0 unless the chance of having no 0 is below this probability."""


def gold_label(gold: Any, choices: Choices, gold_is: GoldIs = "auto") -> str:
    """Return the label ("A", "B", ...) of the choice that ``gold`` means; raise ``ValueError`` if it is not one."""
    found = set().union(*(_places(gold, choices, how) for how in _ways(gold, gold_is)))
    if not found:
        means = "give a label, a text or an index" if gold_is == "auto" else f"as {gold_is} (gold_is)"
        raise ValueError(f"gold {gold!r} is not one of the choices {_listed(choices)}: {means}")
    labels = [CHOICE_LABELS[place] for place in sorted(found)]
    if len(labels) > 1:
        raise ValueError(f"gold {gold!r} can mean {' or '.join(labels)} of {_listed(choices)}: give the label")
    return labels[0]


def gold_of(record: Record, name: str, choices: Choices, path: Path, index: int) -> Any:
    """Return a record's gold; a word that means missing in a CSV ("None") is a gold if it is the text of a choice."""
    value = record.get(name)
    return value if isinstance(value, str) and value.strip() in choices.texts else field_of(record, name, path, index)


def column_reading(path: Path, golds: Sequence[Any], choices: Sequence[Choices]) -> GoldIs:
    """Return how to read the golds of a file, ``auto``: each by itself; raise ``TaskError`` if that is ambiguous.

    ``golds`` and ``choices`` have one entry each for every record that has both.
    """
    if not golds or any(_whole(gold) is None for gold in golds):
        return "auto"
    places = [{how: _places(gold, own, how) for how in READINGS} for gold, own in zip(golds, choices, strict=True)]
    known = [index for index, found in enumerate(places) if any(found.values())]
    fitting = [how for how in READINGS if known and all(places[index][how] for index in known)]
    if all(isinstance(gold, str) for gold in golds) and "label" in fitting:
        fitting = ["label"]
    from_1 = all(_places(golds[i], choices[i], "index_from_1") for i in known)
    rivals: list[GoldIs] = ["index_from_1"] if fitting == ["text"] and from_1 else []
    for index in known:
        places[index]["index_from_1"] = _places(golds[index], choices[index], "index_from_1")
    for how in [*fitting[1:], *rivals]:
        for index in known:
            if places[index][how] != places[index][fitting[0]]:
                raise _ambiguous(path, index, golds[index], choices[index], (fitting[0], how))
    if fitting in ([], ["index"]):
        _check_origin(path, golds, choices, fitting)
    return fitting[0] if fitting else "auto"


def _ways(gold: Any, gold_is: GoldIs) -> Sequence[GoldIs]:
    if gold_is != "auto":
        return (gold_is,)
    return READINGS if isinstance(gold, int) else ("label", "text")


def _places(gold: Any, choices: Choices, how: GoldIs) -> set[int]:
    n = len(choices.texts)
    if how in ("index", "index_from_1"):
        number = _whole(gold)
        return set() if number is None else {number - (how == "index_from_1")} & set(range(n))
    text = None if isinstance(gold, float) and how == "label" else scalar_text(gold)
    if text is None:
        return set()
    if how == "label":
        return _by_label(text.strip(), choices, n)
    return _by_text(text.strip(), choices) or _by_both(text, choices, n)


def _whole(gold: Any) -> int | None:
    """Return a whole number, or the whole number in a text: pandas writes a column with gaps as 1.0, 2.0."""
    matched = None if isinstance(gold, bool) else _WHOLE.fullmatch(str(scalar_text(gold)).strip())
    return int(matched[1]) if matched else None


def _by_label(gold: str, choices: Choices, n: int) -> set[int]:
    own = {i for i, label in enumerate(choices.labels) if label == gold}
    own = own or {i for i, label in enumerate(choices.labels) if label.casefold() == gold.strip("().: ").casefold()}
    matched = LABEL.fullmatch(gold)
    return own or ({CHOICE_LABELS.index(matched[1].upper())} & set(range(n)) if matched else set())


def _by_text(gold: str, choices: Choices) -> set[int]:
    exact = {i for i, text in enumerate(choices.texts) if text == gold}
    return exact or {i for i, text in enumerate(choices.texts) if text.casefold() == gold.casefold()}


def _by_both(gold: str, choices: Choices, n: int) -> set[int]:
    """Return the index of a gold that has a label and that choice's text ("B) apple")."""
    split = split_letter(gold)
    if split is None:
        return set()
    label, text = split
    return (_by_label(label, choices, n) & _by_text(text, choices)) or _by_both(text, choices, n)


def _check_origin(path: Path, golds: Sequence[Any], choices: Sequence[Choices], fitting: list[GoldIs]) -> None:
    """Raise if the golds count from 1; warn if they may."""
    numbers = [_whole(gold) or 0 for gold in golds]
    sizes = [len(own.texts) for own in choices]
    if any(not 1 <= number <= n for number, n in zip(numbers, sizes, strict=True)):
        return
    first = f"{where(path, 0)}: gold {golds[0]!r} of {_listed(choices[0])}"
    reaches = any(number == n for number, n in zip(numbers, sizes, strict=True))
    if reaches or sum(math.log1p(-1 / n) for n in sizes if n > 1) < math.log(_CHANCE):
        top = "up to the number of choices" if reaches else "only others"
        raise TaskError(
            f"{first}: the file's golds are whole numbers, never 0 and {top}, as if they counted from 1. "
            "Set gold_is: index_from_1, or index if they count from 0 (import: --gold-is), or use the choices' labels."
        )
    warnings.warn(
        f"{first}: the file's golds are read as indexes from 0, though none is 0. If they count from 1, "
        "set gold_is: index_from_1.",
        stacklevel=2,
    )


def _ambiguous(path: Path, index: int, gold: Any, choices: Choices, ways: tuple[GoldIs, GoldIs]) -> TaskError:
    meant = [f"{how} ({gold_label(gold, choices, how)})" for how in ways]
    settings = dict.fromkeys((*ways, "index_from_1"))
    return TaskError(
        f"{where(path, index)}: gold {gold!r} of {_listed(choices)} can be read as {' or as '.join(meant)}, and so can "
        f"all golds of the file. Set gold_is: {' or '.join(settings)} (import: --gold-is)."
    )


def _listed(choices: Choices) -> str:
    return ", ".join(f"{label}: {text!r}" for label, text in zip(CHOICE_LABELS, choices.texts, strict=False))


def check_gold_kind(gold: Any) -> None:
    """Raise ``ValueError`` for a gold that is neither a text nor a number."""
    if scalar_text(gold) is None:
        raise ValueError(f"gold is {kind_of(gold)}, expected a label, a text or an index")
