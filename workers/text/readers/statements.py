"""A clause with numbers -> the one number that it states, if it states one that can be read.

"3 + 4 = 7" states 7, "she has 5 apples" 5; "5 or 6", "more than 5", "3 + 4" and "question 5" state none.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from cotfaith.workers.text.readers import lexicon
from cotfaith.workers.text.readers.clauses import Clause
from cotfaith.workers.text.readers.modifiers import is_altered, is_bound
from cotfaith.workers.text.readers.quantities import Token

_EQUALS = frozenset("=≈")
_SIGNS = frozenset("+-*×·÷/^")
_BOUND_SIGNS = frozenset("<>≤≥≠±~√π∞")
_NO_NUMBER_ONE = lexicon.words("no the this that last first other each every any which another right wrong correct")
_AFTER_PRONOUN_ONE = lexicon.words(
    "of that who which is can could should would must may might has needs way thinks another by"
)
_OF = lexicon.words("total sum number value count amount price cost speed length age answer result score average")


@dataclass(frozen=True)
class Statement:
    """What a clause states."""

    kind: str
    """"none": it has no number; "value": it states one; "unclear": it has numbers but states none of them."""
    value: Fraction | None = None
    opens: bool = False
    """Whether the number, or the calculation that ends in it, is at the clause's beginning."""
    asserted: bool = False
    """Whether the number is the clause's statement, not a circumstance."""
    bare: bool = False
    """Whether the clause begins with a number."""
    alone: bool = False
    """Whether the clause consists only of the number."""
    arithmetic: bool = False
    """Whether the clause contains a calculation."""


NONE = Statement("none")


def statement(clause: Clause) -> Statement:
    """Return what the clause states."""
    tokens = _without_pronouns(clause.tokens)
    places = [i for i, token in enumerate(tokens) if token.kind == "number"]
    if not places and not any(token.kind == "unclear" for token in tokens):
        return NONE
    arithmetic = _has_arithmetic(tokens)
    bare = tokens[0].kind != "word" or tokens[0].text in ("or", "and")
    found = _stated(tokens)
    if found is None:
        return Statement("unclear", bare=bare, arithmetic=arithmetic)
    before = tokens[: places[0]]
    opens = _is_opening(before, tokens[places[0] : found + 1]) or _is_opening(tokens[:found], [])
    return Statement(
        "value",
        tokens[found].value,
        opens=opens,
        asserted=_is_asserted(tokens[:found]),
        bare=bare,
        alone=len(tokens) == 1,
        arithmetic=arithmetic,
    )


def _without_pronouns(tokens: Sequence[Token]) -> list[Token]:
    """Treat "one" as a word if it is a pronoun."""
    found = list(tokens)
    for i, token in enumerate(found):
        before = found[i - 1].text if i else ""
        after = found[i + 1].text if i + 1 < len(found) else ""
        if token.text == "one" and (before in _NO_NUMBER_ONE or after in _AFTER_PRONOUN_ONE):
            found[i] = Token("word", "one")
    return found


def _has_arithmetic(tokens: Sequence[Token]) -> bool:
    return any(
        (token.kind == "mark" and token.text in _SIGNS)
        or token.kind == "term"
        or (token.kind == "word" and (token.text in lexicon.ARITHMETIC or token.text == "x"))
        or token.division
        for token in tokens
    ) or any(a.text.endswith("%") and b.text == "of" for a, b in itertools.pairwise(tokens))


def _stated(tokens: Sequence[Token]) -> int | None:
    """Return the place of the stated number."""
    if any(t.kind == "unclear" or (t.kind == "mark" and t.text in _BOUND_SIGNS) for t in tokens):
        return None
    start = _right_side(tokens)
    right = tokens[start:]
    places = [i for i, token in enumerate(right) if token.kind == "number"]
    if not places or not _agrees(tokens[: max(start - 1, 0)], right[places[-1]]):
        return None
    return start + places[0] if _is_one(right, places) and _is_plain(right, places[0]) else None


def _right_side(tokens: Sequence[Token]) -> int:
    """Return where the clause's result begins: after the last "=" or "is" that a number follows."""
    last = max(i for i, token in enumerate(tokens) if token.kind == "number")
    return max((i + 1 for i, token in enumerate(tokens[:last]) if _is_equals(token)), default=0)


def _is_equals(token: Token) -> bool:
    return token.text in (_EQUALS if token.kind == "mark" else lexicon.COMES_TO if token.kind == "word" else ())


def _agrees(left: Sequence[Token], right: Token) -> bool:
    """Whether the left side is a calculation, or the same value: "5 km = 5000 m" states two values."""
    numbers = [i for i, token in enumerate(left) if token.kind == "number"]
    if not numbers or all(left[i].value == right.value for i in numbers):
        return True
    chained = [t for t in left if t.kind == "word" and _is_equals(t)] and any(t.text in ("and", "or") for t in left)
    both = any(t.text in ("and", "or") for t in left) and any(_is_equals(t) for t in left)
    return not chained and not both and (_has_arithmetic(left) or left[0].kind == "word")


def _is_one(right: Sequence[Token], places: Sequence[int]) -> bool:
    """Whether there is one number, or one repeated, or one and a circumstance ("12 eggs in 2 boxes")."""
    if len(places) == 1:
        return True
    between = [t.text for t in right[places[0] + 1 : places[-1]] if t.kind != "number"]
    if len({right[i].value for i in places}) == 1:
        return not _changes([word for word in between if word != "or"]) and not _SIGNS & set(between)
    return len(places) == 2 and any(w in lexicon.CIRCUMSTANCES for w in between[1:]) and not _changes(between)


def _changes(words: Sequence[str]) -> bool:
    return any(word in lexicon.AFTER_CHANGES | lexicon.CHANGES or word in ("of", "or", "and", "to") for word in words)


def _is_plain(right: Sequence[Token], place: int) -> bool:
    """Whether nothing before or after the number changes its value."""
    if any(t.kind == "term" for t in right):
        return False
    if any(t.kind == "mark" and t.text in _SIGNS and not _joins_words(right, i) for i, t in enumerate(right)):
        return False
    before = [t.text for t in right[:place] if t.kind == "word"]
    same = max(i for i, t in enumerate(right) if t.kind == "number" and t.value == right[place].value)
    behind = [t.text for t in right[same + 1 :] if t.kind != "number"]
    return not is_bound(before) and not is_altered(behind)


def _joins_words(tokens: Sequence[Token], place: int) -> bool:
    around = [*tokens[max(place - 1, 0) : place], *tokens[place + 1 : place + 2]]
    return tokens[place].text in "/-" and len(around) == 2 and all(t.kind == "word" for t in around)


def _is_opening(before: Sequence[Token], calculation: Sequence[Token]) -> bool:
    """Whether only announcing words precede it, or a variable and an equals sign."""
    if any(t.kind == "word" and t.text in lexicon.COMES_TO for t in calculation) and not _has_arithmetic(calculation):
        return False
    announced = [t for t in before if not _announces(t)]
    return all(t.kind == "mark" and t.text in _EQUALS for t in announced)


def _announces(token: Token) -> bool:
    if token.kind == "word":
        return token.text in lexicon.OPENERS or len(token.text) == 1
    return token.kind == "term" or token.text in _SIGNS


def _is_asserted(before: Sequence[Token]) -> bool:
    words = [t.text for t in before if t.kind == "word"]
    while words and words[-1] in lexicon.OPENERS - {"of", "about", "to"}:
        words.pop()
    if not words:
        return True
    if words[-1] == "of":
        return len(words) > 1 and words[-2] in _OF
    return words[-1] not in lexicon.BEFORE_NO_ANSWER
