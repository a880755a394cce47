"""The columns of a file that seem to hold choices: a guess by their names, for messages; nobody reads by it.

Either one column with all choices ("options"), or one for each, in a row: A, B, C or 1, 2, 3, by themselves, in
brackets or behind a word (option_a, choice1, opa, "Option A", choices.A).
"""

import re
from collections.abc import Collection, Sequence

from cotfaith.workers.tasks.choices import read_choices
from cotfaith.workers.tasks.values import Record, columns_of, is_missing

_LIST = re.compile(
    r"(?:.*[_ .-])?(?:choices?|options?|endings|alternatives|candidates|answers|mc\d_targets)", re.IGNORECASE
)
_ONE = re.compile(r"(?P<word>.*?)[\s_.:/([-]*(?P<label>[A-Ja-j]|\d{1,2})[).:\]]*")
_WORD = re.compile(r"(?:op|opt|ans|sol|.*(?:option|choice|answer|ending|candidate|alternative)s?)?")
_LONGEST = 200
"""The longest name, in characters, that can be guessed from: what is longer is a damaged file's, and takes minutes."""


def choice_columns(records: Sequence[Record], mapped: Collection[str]) -> list[str]:
    """Return the columns to map as choices, in order; none if no column seems to fit. ``mapped``: the others' names."""
    names = [name for name in columns_of(records) if name not in mapped and len(name) <= _LONGEST]
    for name in names:
        if _LIST.fullmatch(name) and all(n_choices(record, [name]) > 1 for record in records[:100]):
            return [name]
    return lettered_columns(names)


def lettered_columns(names: Sequence[str]) -> list[str]:
    """Return the columns that seem to hold one choice each, in the order of their letters or numbers."""
    groups: dict[tuple[str, bool], list[tuple[int, str]]] = {}
    for name in (one for one in names if len(one) <= _LONGEST):
        matched = _ONE.fullmatch(name)
        word = re.sub(r"[^a-z]", "", matched["word"].lower()) if matched else ""
        if matched and _WORD.fullmatch(word) and (word or not any(map(str.isalnum, matched["word"]))):
            label = matched["label"]
            code = int(label) if label.isdecimal() else ord(label.upper())
            groups.setdefault((word, label.isdecimal()), []).append((code, name))
    rows = [sorted(group) for group in groups.values()]
    in_a_row = [row for row in rows if len(row) > 1 and [code for code, _ in row] == _counted(row[0][0], len(row))]
    return [name for _, name in max(in_a_row, key=len, default=[])]


def _counted(first: int, n: int) -> list[int]:
    return list(range(first, first + n))


def n_choices(record: Record, columns: Sequence[str]) -> int:
    """Return how many choices the record has in these columns; 0 if they cannot be read."""
    if len(columns) > 1:
        return sum(not is_missing(record.get(name)) for name in columns)
    try:
        return len(read_choices(record.get(columns[0])).texts)
    except ValueError:
        return 0
