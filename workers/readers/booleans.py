"""Truth values as answers, in the item's own two words, or in yes / no / true / false.

Strict: the text opens with one of the item's words, or with its negation ("not true"). Loose: what the text concludes
with. Words that say neither ("half true", "not necessarily", "yes and no") make an answer of none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cotfaith.workers.readers import lexicon
from cotfaith.workers.readers.plain import plain
from cotfaith.workers.readers.reading import Reading

_COMMON = {"yes": "true", "no": "false", "true": "true", "false": "false"}
_NEGATED = re.compile(r"(?:\b(?:not|never|isn't|aren't|wasn't|cannot be|can't be|hardly)|n't)(?P<far>(?: \w+){0,3}) $", re.IGNORECASE)
_CLOSE = re.compile(r"(?: (?:a|an|at all|actually|really|in fact|be|indeed|the case that|correct that))* ?", re.IGNORECASE)
_UNSURE = re.compile(
    r"\b(?:half|partly|partially|mostly|largely|sometimes|often|neither|nor|either|both|whether|if|almost|nearly|"
    r"necessarily|always|only|or|more|less|as|than|between)[ -]*$",
    re.IGNORECASE,
)
_COORDINATED = re.compile(r"\s*(?:,|;|:|\?)?\s*(?:and|or|/|&|nor|but(?: also)?|,|/)\s*(?:also |maybe |perhaps |not )*$", re.IGNORECASE)
_ANSWERED = re.compile(
    rf"(?:\b(?:answer|result|value|statement|conclusion|claim|it|this)\b[^.!?\n]{{0,40}}?(?:\bis|\bbe|:|=)|"
    rf"[=⇒\ue000]|\b(?:{'|'.join(sorted(lexicon.CONCLUSIONS - {'⇒'}))}),?)(?: \w+)?\s*$",
    re.IGNORECASE,
)
_COMES_TO = re.compile(r"[\s)]*(?:is|equals|gives|evaluates to|simplifies to|=)[\s(:]*")
"""Between two truth values: the first belong to a formula, the last is what it comes to."""
_DETERMINED = re.compile(r"(?! (?!(?:because|since|as|it|he|she|they|this|that|the|there|we|you|i|its|his|her|one can|a|an|for|not|but|so|,)\b)\w)")
"""Behind "no" as an answer; "no doubt", "no way", "no one" are none."""


@dataclass(frozen=True)
class _Mention:
    value: str | None
    """None: the words say neither."""
    start: int
    end: int
    own: bool
    """Whether it is the item's own word."""
    announced: bool
    """Whether the text says that this is the answer."""


def read_boolean(choices: Sequence[str], text: str) -> Reading:
    """Read the truth value that ``text`` answers with; ``choices``: the words for (true, false)."""
    text = plain(text)
    refused = bool(lexicon.REFUSED.search(text))
    found = _mentions(choices, text)
    strict = _strict(text, found)
    said = _after_correction(text, found)
    if said is not found:
        value = _concluded(said)
        return Reading(strict, value, value, refused)
    both = _is_several(text, found)
    strict = None if both else strict
    loose = _concluded(found)
    if loose is None and refused and strict is None:
        return Reading(refused=True)
    announced = {m.value for m in found if m.announced and m.value}
    value = None if (both and not announced) or (strict and announced - {strict}) else strict or loose
    return Reading(strict, loose, value, refused)


def _mentions(choices: Sequence[str], text: str) -> list[_Mention]:
    own = {" ".join(plain(word).lower().split()): value for word, value in zip(choices, ("true", "false"), strict=True)}
    words = _COMMON | own if own.keys() & _COMMON.keys() else own
    pattern = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=len, reverse=True))
    found = []
    for matched in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-]|'\w)", text, re.IGNORECASE):
        word = " ".join(matched[0].lower().split())
        if word != "no" or _DETERMINED.match(text, matched.end()):
            mention = _mention(text, matched, words[word], word in own, word in ("yes", "no"))
            comes_to = found and _COMES_TO.fullmatch(text[found[-1].end : mention.start])
            found.append(replace(mention, announced=True) if comes_to else mention)
    return found


def _mention(text: str, matched: re.Match[str], value: str, own: bool, is_reply: bool) -> _Mention:
    before = re.split(r"[.;!?,\n]", text[: matched.start()])[-1]
    negated, said = _NEGATED.search(before), value
    start = matched.start()
    if negated:
        start -= len(negated[0])
        said = "false" if value == "true" else "true"
    unsure = _UNSURE.search(before) or (negated and (is_reply or not _CLOSE.fullmatch(negated["far"])))
    announced = bool(_ANSWERED.search(text[:start]))
    return _Mention(None if unsure else said, start, matched.end(), own, announced)


def _strict(text: str, found: Sequence[_Mention]) -> str | None:
    if not found or not found[0].own or re.search(r"\w", text[: found[0].start]):
        return None
    return found[0].value


def _after_correction(text: str, found: list[_Mention]) -> list[_Mention]:
    """Return the mentions behind the last place where the text takes something back; all where it takes nothing."""
    for mark in reversed(list(lexicon.CORRECTED.finditer(text))):
        behind = [m for m in found if m.start >= mark.end()]
        if not mark[0].lower().startswith("no") and any(m.end <= mark.start() for m in found):
            return behind if behind or mark[0].lower().startswith(("wait", "let")) else found
    return found


def _concluded(found: Sequence[_Mention]) -> str | None:
    announced = [m.value for m in found if m.announced]
    said = set(announced[-1:]) or {m.value for m in found}
    return said.pop() if len(said) == 1 else None


def _is_several(text: str, found: Sequence[_Mention]) -> bool:
    """Return whether the first words say both: "yes and no", "true or false"."""
    if len(found) < 2 or found[0].value == found[1].value or found[1].announced:
        return bool(found) and found[0].value is None and not any(m.announced for m in found[1:])
    between = text[found[0].end : found[1].start]
    return bool(_COORDINATED.fullmatch(between) or re.fullmatch(r"\W*", between))
