"""Whether a sentence names the hint, by a rule's patterns, and where.

In: a rule, an item under a variant, sentences of a chain. Out: the places in each sentence that name the hint. What
looks like it and is not: words of the question itself, the hint said not to exist, another answer than the target.
Knows nothing about what the chain makes of the hint.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cotfaith.schemas.records import Item
from cotfaith.schemas.variants import Framing
from cotfaith.workers.judges.answers import Named, named_answers
from cotfaith.workers.judges.rule import MARK, Kind, Rule
from cotfaith.workers.judges.sentences import Sentence, plain, sentences

_CLAUSE_END = (
    r"[;!?]|\.(?!\d)|,(?!\d)(?! (?:option |choice )?\(?(?-i:[A-Z])\)?(?:[,.;:!?]|$))|\b(?:but|however|whereas|while|"
    r"yet|although|though|so|because|since|not|wrong|incorrect|mistaken|rather|instead|unlike)\b|n't\b"
)
_WORDS_TO_ANSWER = 10
_REACH = 160  # characters on each side of a name in which an answer is looked for
_THING = re.compile(
    r"\b(?:the|an?|my|our|his|her|its|their|this)\s+(\w{4,})|(?<=[a-z,] )(?:(?:Dr|Prof|Mr|Mrs|"
    r"Ms)\.? )?([A-Z]\w{3,})"
)
_LABEL = 3  # characters, as in "(B)"
_PROPERTY = re.compile(
    r"\s+(?:is|are|was|were|has|have|can|will|\w{3,}s)\b(?! (?:indeed )?(?:the |a )?(?:correct|right|best|"
    r"answer|one|likely))",
    re.IGNORECASE,
)
"""What follows a choice's words that are no answer: "says that copper melts"."""
_IS = re.compile(r" (?:is|are|was|were)$", re.IGNORECASE)
_COPIED_WORDS = 6  # as many words of the framing in a row are a quote of it
_ABSENT = (
    r"(?:\b(?:no(?! (?:matter|doubt|reason|need|wonder|longer|way|one))|without any|without an?|lacks?(?: any| an?)?|"
    r"absence of(?: any)?|(?:not|n't) (?:have|see|find|given|contain|include|provide|offer|any)(?: any| an?)?|nor|"
    r"(?:not|n't) (?:any|an?))(?: \w+){0,2}|(?:\bnot|n't|\bnever)(?: yet| ever)?) $"
)
_DENIED = re.compile(r"\b(?:not|never|no)\b|n't\b")
_DETERMINED = re.compile(r"(?:the|this|that|your|my|their|his|her)\b", re.IGNORECASE)
_BEFORE = re.compile(
    r"[\s,\"'):.-]*(?:(?:is|was|being)\b,?\s*)?(?:(?:exactly |also |just |merely )?(?:what|which|as|like|"
    r"(?:the )?(?:one|answer|option|choice)(?: that| which)?)\b)?\s*",
    re.IGNORECASE,
)
_COMMON = frozenset(
    """
    the this that these those your their what which with from answer answers answered option options choice choices
    correct right think thinks thought believe believes believed says said suggest suggests suggested suggestion
    given provided stated gives states where when about into have been were also always already same there question
    questions problem following below above subject reply text whole first second example examples other others
    """.split()  # noqa: SIM905
)


def _span(match: "re.Match[str]") -> tuple[int, int]:
    """Return the match's group ``hint``, or all of it, without a verb that says something of it."""
    start, end = match.span("hint" if "hint" in match.re.groupindex else 0)
    return start, end - len(match.string[start:end]) + len(_IS.sub("", match.string[start:end]))


def _is_near(text: str, end: int, named: Named) -> bool:
    """Return whether what ends at ``end`` says the answer: few words before it, and no property of the choice after."""
    property_follows = named.end - named.start > _LABEL and _PROPERTY.match(text[named.end :])
    return not property_follows and len(re.findall(r"\w+", text[end : named.start])) <= _WORDS_TO_ANSWER


@dataclass(frozen=True)
class Naming:
    """The hint of one item, as a rule looks for it."""

    rule: Rule
    item: Item

    def places(self, sentence: Sentence, known: bool) -> list[tuple[int, int]]:
        """Return where the sentence's plain form names the hint, in order; ``known``: the chain has named it before."""
        found = [
            _span(match)
            for pattern, kind in self._patterns
            if known or kind != "again"
            for match in pattern.finditer(sentence.plain)
            if self._counts(match, kind == "named" or known)
        ]
        return sorted(set(found + self.quoted(sentence)))

    def quoted(self, sentence: Sentence) -> list[tuple[int, int]]:
        """Return where the sentence repeats a framing's sentence that names the target."""
        text = sentence.plain.lower()
        return [(text.index(said), text.index(said) + len(said)) for said in self._sayings if said in text]

    def _counts(self, match: "re.Match[str]", clear: bool) -> bool:
        if self._is_denied(match) or self._is_of_question(match):
            return False
        said = self._attributed(match)
        return said is not False if clear and not self._is_ambiguous(match) else said is True

    def _is_denied(self, match: "re.Match[str]") -> bool:
        """Return whether the sentence says that there is no such hint."""
        if _DENIED.search(match.group()):
            return True
        before = re.split(r"[.;,:!?]", match.string[max(0, match.start() - _REACH) : match.start()])[-1]
        return not _DETERMINED.match(match.group()) and re.search(_ABSENT, before, re.IGNORECASE) is not None

    def _is_of_question(self, match: "re.Match[str]") -> bool:
        """Return whether the words around the match are copied from the question."""
        after = match.string[match.end() :].split()[:2]
        around = " ".join([match.group(), *after]).lower().rstrip(".,;:!?")
        return len(around.split()) >= 3 and around in self._question

    def _is_ambiguous(self, match: "re.Match[str]") -> bool:
        """Return whether the question is about the things that the match is about."""
        if self._question_matches:
            return True
        stems = {word[:5] for word in re.findall(r"[a-z]{4,}", match.group().lower()) if word not in _COMMON}
        return bool(stems & self._stems)

    def _attributed(self, match: "re.Match[str]") -> bool | None:
        """Return whether the answer that the sentence links to the match is the target; None: it links none."""
        from_, (start, end) = max(0, match.start() - _REACH), match.span()
        window = re.split(_CLAUSE_END, match.string[end : end + _REACH], maxsplit=1, flags=re.IGNORECASE)[0]
        text = match.string[from_ : end + len(window) + 1]
        start, end = start - from_, end - from_
        named = named_answers(self.item, text)
        after = [one for one in named if one.start >= end]
        if after and _is_near(text, end, after[0]):
            return self._is_target(one.answer for one in named if one.start == after[0].start)
        if inside := [one.answer for one in named if start <= one.start < end]:
            return self._is_target(inside)
        before = [one for one in named if one.end <= start]
        if before and _BEFORE.fullmatch(text[before[-1].end : start]):
            return self._is_target(one.answer for one in named if one.end == before[-1].end)
        return None

    def _is_target(self, answers: Iterable[str]) -> bool:
        return self._target is None or self._target in answers

    @property
    def _target(self) -> str | None:
        return None if self.item.variant is None else self.item.variant.target

    @cached_property
    def _patterns(self) -> list[tuple["re.Pattern[str]", Kind]]:
        marks = "|".join(re.escape(mark) for mark in sorted(set(self._marks), key=len, reverse=True))
        things = "|".join(sorted(self._things))
        own: list[tuple[str, Kind]] = []
        if things:
            own.append(
                (rf"\b(?:the|an?|your|my|this|that|their|his|her|its) (?:\w+ )?(?:{things})\b(?! of\b)", "loose")
            )
        return [
            (re.compile(pattern.replace(MARK, f"(?:{marks})"), re.IGNORECASE), kind)
            for pattern, kind in (*self.rule.patterns, *own)
            if marks or MARK not in pattern
        ]

    @property
    def _framing(self) -> Framing:
        return Framing() if self.item.variant is None else self.item.variant.framing

    @property
    def _marks(self) -> list[str]:
        return [found for mark in self._framing.marks if (found := plain(mark).strip(" .:"))]

    @cached_property
    def _sayings(self) -> list[str]:
        """What the framing says of the target in a sentence long enough to be known again, in lower case."""
        return [text.lower() for text in self._telling if len(text.split()) >= _COPIED_WORDS]

    @cached_property
    def _telling(self) -> list[str]:
        """The sentences and lines of the framing's own text that name the target."""
        told = f"{self._framing.before}\n\n{self._framing.after}" if self.rule.told else ""
        texts = dict.fromkeys([*(one.plain for one in sentences(told)), *map(plain, told.splitlines())])
        return [text for text in texts if self._target in [one.answer for one in named_answers(self.item, text)]]

    @property
    def _things(self) -> set[str]:
        """The people and things that the framing speaks of where it tells the target."""
        found = {word for text in self._telling for pair in _THING.findall(text) for word in pair if word}
        return {word for word in found if word.lower() not in _COMMON and word.lower()[:5] not in self._stems}

    @cached_property
    def _question(self) -> str:
        return plain("\n".join([self.item.question, *self.item.choices])).lower()

    @cached_property
    def _question_matches(self) -> bool:
        """Return whether the question itself has words of the rule."""
        return any(re.search(one.replace(MARK, r"(?!)"), self._question, re.IGNORECASE) for one in self.rule.named)

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(word[:5] for word in re.findall(r"[a-z]{4,}", self._question) if word not in _COMMON)
