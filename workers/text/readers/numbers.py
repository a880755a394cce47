"""Numbers as answers.

Strict: the text opens with the number, or with a calculation that ends in it. Loose: the number that the text concludes
with, wherever it stands. A number counts only if nothing else in the text could also be the answer.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

from cotfaith.workers.text.readers import lexicon
from cotfaith.workers.text.readers.clauses import Clause, clauses
from cotfaith.workers.text.readers.corrections import corrections
from cotfaith.workers.text.readers.numerals import canonical_value
from cotfaith.workers.text.readers.plain import plain
from cotfaith.workers.text.readers.quantities import tokens
from cotfaith.workers.text.readers.reading import Reading
from cotfaith.workers.text.readers.statements import NONE, Statement, statement

_GREETINGS = lexicon.OPENERS | lexicon.words("sure okay ok well yes no course answer great given all above based")
_HEDGES = lexicon.words("could might may maybe perhaps possibly possible also alternatively plausible likely")
"""A number beside them may also be the answer."""
_LIST = re.compile(
    r"\s*1[.)]\s+(?:first|start|let|we|begin|find|identify|calculate|determine|add|subtract|multiply|divide|the|to|step|"
    r"given|read|if|there|write|count|use|compute|understand)\b",
    re.IGNORECASE,
)
"""The start of a list of steps, not the answer 1."""


def read_number(text: str) -> Reading:
    """Read the number that ``text`` answers with."""
    text = plain(text)
    for mark in corrections(text):
        before, behind = text[: mark.start], text[mark.end :]
        if not re.search(r"\d", before):
            continue
        if re.search(r"\d", behind):
            taken_back, value = _Numbers(before).reading(), _Numbers(behind).reading().value
            return Reading(taken_back.strict, value, value)
        if mark.firm:
            return Reading(_Numbers(before).reading().strict)
    return _Numbers(text).reading()


class _Numbers:
    """The clauses of a text, and what each clause states."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.clauses = clauses(tokens(text))
        self.said = [statement(clause) for clause in self.clauses]
        _negate(self.clauses, self.said)

    def reading(self) -> Reading:
        strict, loose = self._strict(), self._loose()
        value = strict if strict is not None else loose
        others = {s.value for s in self._strong()} | ({None} if self._is_several(strict) else set())
        if strict is not None and others - {strict}:
            value = None
        return Reading(_text(strict), _text(loose), _text(value), bool(lexicon.REFUSED.search(self.text)))

    def _first(self) -> int | None:
        """Return the clause in the place where the answer was asked for."""
        for i, (clause, said) in enumerate(zip(self.clauses, self.said, strict=True)):
            if said.kind != "none":
                return i
            if not clause.words <= _GREETINGS or clause.role in ("negation", "reason"):
                return None
        return None

    def _strict(self) -> Fraction | None:
        first = self._first()
        if first is None or _LIST.match(self.text) or self.clauses[first].role in ("reason", "negation"):
            return None
        said = self.said[first]
        return said.value if said.kind == "value" and said.opens else None

    def _is_several(self, strict: Fraction | None) -> bool:
        """Return whether another number beside the strict one could equally be the answer."""
        first = self._first()
        if strict is None or first is None:
            return False
        opening, rest = self.clauses[first], list(zip(self.clauses, self.said, strict=True))[first + 1 :]
        other = [(clause, said) for clause, said in rest if said.value != strict and _rivals(clause, said, opening)]
        return not all(_is_percent(clause, said, strict) for clause, said in other)

    def _strong(self) -> list[Statement]:
        """Return the statements of the clauses that name the answer."""
        found = []
        for i, (clause, said) in enumerate(zip(self.clauses, self.said, strict=True)):
            before = self.clauses[i - 1] if i else Clause()
            named = bool(clause.words & lexicon.ANSWER_NOUNS) and clause.words & lexicon.COMES_TO
            announced = bool(before.words & lexicon.ANSWER_NOUNS) and not before.has_digits
            announced = announced and clause.opened_by in ("colon", "stop", "dash")
            if said.kind != "none" and (clause.role == "box" or ((named or announced) and clause.role != "negation")):
                found.append(said)
        return found

    def _loose(self) -> Fraction | None:
        if strong := self._strong():
            return _only(strong)
        if lexicon.REFUSED.search(self.text):
            return None
        pairs = list(zip(self.clauses, self.said, strict=True))
        main = [s for c, s in pairs if c.role == "main" and s.kind != "none"]
        concluded = [s for c, s in pairs if c.role == "conclusion" and s.value is not None]
        first = self._first()
        unclear = first is not None and self.said[first].kind == "unclear" and not self.said[first].arithmetic
        if concluded and not unclear:
            return concluded[-1].value
        if main and main[-1].alone and main[-1].value is not None and len(main) > 1 and main[-2].arithmetic:
            return main[-1].value  # "the sum of 2 and 3, 5"
        return _only(main)


def _negate(found: Sequence[Clause], said: list[Statement]) -> None:
    """Drop what is negated: by the clause's own "not", or by a "not ..." directly after it ("5 is not right")."""
    for i, clause in enumerate(found):
        if clause.role == "negation":
            if not clause.has_digits and clause.opened_by == "word" and i:
                said[i - 1] = NONE if said[i - 1].kind == "none" else Statement("unclear")
            said[i] = Statement("unclear") if "only" in clause.words else NONE


def _rivals(clause: Clause, said: Statement, first: Clause) -> bool:
    """Return whether a clause after the strict answer gives another answer."""
    if said.kind == "none" or clause.role == "negation":
        return False
    hedged = bool(clause.words & _HEDGES)
    if first.role == "box":
        return clause.role == "box"
    if clause.role == "reason":
        return hedged or clause.head in ("if", "unless")
    if clause.tokens[0].text in ("or", "and"):
        return True
    if clause.sentence != first.sentence:
        return said.alone
    if clause.opened_by == "bracket":
        return said.alone
    return (
        said.bare
        or said.opens
        or hedged
        or clause.role == "conclusion"
        or any(token.text == "=" for token in clause.tokens)
    )


def _is_percent(clause: Clause, said: Statement, strict: Fraction) -> bool:
    """Return whether the clause repeats the strict value in percent: "3/5 (60%)"."""
    percent = any(token.text.endswith("%") for token in clause.tokens)
    return percent and said.value is not None and abs(said.value / 100 - strict) < Fraction(1, 100)


def _only(said: Sequence[Statement]) -> Fraction | None:
    """Return the one value that all of them state; None if there are several, or one is unclear."""
    values = {s.value if s.asserted else None for s in said}
    return values.pop() if len(values) == 1 else None


def _text(value: Fraction | None) -> str | None:
    return None if value is None else canonical_value(value)
