"""Tokens -> clauses, each with its role in the text.

A clause ends at a mark (comma, colon, dash, full stop, bracket) or before a word that opens another clause: a reason
("because"), a conclusion ("so"), a negation ("not", "rather than"), a contrast ("but"). The opening word is removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cotfaith.workers.text.readers.latex import BOX, END_BOX
from cotfaith.workers.text.readers.lexicon import COMES_TO, CONCLUSIONS, NEGATIONS, REASONS
from cotfaith.workers.text.readers.quantities import Token

_STOPS, _COMMAS, _OPEN, _CLOSE = frozenset(".!?;\n"), frozenset(","), frozenset("([{"), frozenset(")]}")
_JOINING = frozenset("+-*/×·÷^")
_BEFORE_BRACKETS = frozenset("+-*/=≈×·÷<>,:")
_MEASURES = frozenset(["well", "many", "much", "few", "little", "low", "high"])
_SILENT = frozenset("$|'\"`*_")


@dataclass
class Clause:
    """The tokens between two marks."""

    role: str = "main"
    """"main", "reason", "conclusion", "negation" or "box"."""
    opened_by: str = "stop"
    """What precedes it: "stop", "comma", "colon", "dash", "bracket", "box", "word"."""
    sentence: int = 0
    head: str = ""
    """The word that opened it, if any."""
    tokens: list[Token] = field(default_factory=list)

    @property
    def has_digits(self) -> bool:
        """Whether any of its tokens is or may be a number."""
        return any(token.kind in ("number", "unclear") for token in self.tokens)

    @property
    def words(self) -> set[str]:
        """The clause's words, in lower case."""
        return {token.text for token in self.tokens if token.kind == "word"}


def clauses(tokens: Sequence[Token]) -> list[Clause]:
    """Return the non-empty clauses, in order; a bracket's content follows the clause that contains it."""
    splitter = _Splitter()
    for place, token in enumerate(tokens):
        splitter.take(token, [t.text for t in tokens[place + 1 : place + 3]])
    return [clause for clause in splitter.found if clause.tokens or clause.role == "negation"]


class _Splitter:
    def __init__(self) -> None:
        self.now = Clause()
        self.found = [self.now]
        self.outside: list[Clause] = []  # the clauses interrupted by open brackets
        self.skip = 0

    def take(self, token: Token, after: Sequence[str]) -> None:
        if self.skip:
            self.skip -= 1
        elif token.kind == "mark":
            self._mark(token, after)
        elif token.kind == "word" and (role := _role(token.text, after, self._before())):
            self.skip = role in ("conclusion", "negation") and _two_words(token.text, after)
            self._open(role, self.now.opened_by if self._is_fresh() else "word", head=token.text)
        else:
            self.now.tokens.append(token)

    def _is_fresh(self) -> bool:
        return not self.now.tokens

    def _before(self) -> str:
        return self.now.tokens[-1].text if self.now.tokens else ""

    def _mark(self, token: Token, after: Sequence[str]) -> None:
        mark = token.text
        if mark == BOX:
            self._open("box", "box")
        elif mark in _OPEN:
            self.outside.append(self.now)
            role = "reason" if self.now.role == "reason" or self._before() in _JOINING else "main"
            self._open(role, "bracket")
            if token.glued and self.outside[-1].tokens and self.outside[-1].tokens[-1].text not in _BEFORE_BRACKETS:
                self.now.tokens.append(Token("unclear", mark))  # f(5), \u221a(2), 2(3): not an aside
        elif mark in _CLOSE:
            self._close(after)
        elif mark in _STOPS or mark == END_BOX:
            self.outside.clear()
            self._open("main", "stop", new_sentence=mark != END_BOX)
        elif mark in _COMMAS or mark in ":—":
            self._open(self._role_behind(mark), {",": "comma", ":": "colon"}.get(mark, "dash"))
        elif mark == "⇒":
            self._open("conclusion", "word")
        elif mark not in _SILENT:
            self.now.tokens.append(token)

    def _close(self, after: Sequence[str]) -> None:
        """Continue what the bracket interrupted; a bracket beside a sign is a term of a calculation, not an aside."""
        if not self.outside:
            return
        inside, self.now = self.now, self.outside.pop()
        if (after and after[0] in _JOINING) or (self.now.tokens and self.now.tokens[-1].text in _JOINING):
            inside.role = "reason"
            self.now.tokens.append(Token("term", "()"))

    def _role_behind(self, mark: str) -> str:
        """Reasons continue after commas, except at the start of a sentence: "Since 3 is odd, 4"."""
        if self.now.role == "box":
            return "box"
        goes_on = (
            self.now.role == "reason"
            and self.now.head not in ("if", "unless")
            and (mark == ":" or self.now.opened_by != "stop")
        )
        return "reason" if goes_on else "main"

    def _open(self, role: str, opened_by: str, new_sentence: bool = False, head: str = "") -> None:
        self.now = Clause(role, opened_by, self.now.sentence + new_sentence, head)
        self.found.append(self.now)


def _role(word: str, after: Sequence[str], before: str) -> str | None:
    """Return the role of the clause that ``word`` opens; None if it opens none. ``before``: the clause's last word."""
    following = after[0] if after else ""
    if word == "which" and following in COMES_TO:
        return "conclusion"
    if not before and ((word == "that" and following == "is") or word == "that's"):
        return "conclusion"
    if word in REASONS:
        compares = word == "as" and (
            before == "well" or following in ("well", "many", "much", "few", "little", "low", "high")
        )
        return None if compares else "reason"
    if word in CONCLUSIONS:
        return None if following in ("far", "much", "many") or before == "or" else "conclusion"
    if word in NEGATIONS or word.endswith("n't") or (word, following) in (("rather", "than"), ("instead", "of")):
        return None if word == "no" and following in ("", ",", ".", "!", ":", "—", "/") else "negation"
    if word == "but" and before in ("anything", "everything", "all"):
        return "negation"
    return "main" if word in ("but", "however", "yet", "although") else None


def _two_words(word: str, after: Sequence[str]) -> bool:
    return word in ("which", "rather", "instead") or (word == "that" and after[:1] == ["is"])
