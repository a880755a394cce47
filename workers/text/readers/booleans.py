"""Truth values as answers, in the item's own two words, or in yes / no / true / false.

Strict: the text opens with one of the item's words, or with its negation ("not true"). Loose: the text's conclusion.
Words that say neither ("half true", "not necessarily", "yes and no") give no answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cotfaith.workers.text.readers import lexicon
from cotfaith.workers.text.readers.corrections import corrections
from cotfaith.workers.text.readers.latex import BOX
from cotfaith.workers.text.readers.plain import plain
from cotfaith.workers.text.readers.reading import Reading

_COMMON = {"yes": "true", "no": "false", "true": "true", "false": "false"}
_NEGATED = re.compile(
    r"(?:\b(?:not|never|isn't|aren't|wasn't|cannot be|can't be|hardly)|n't)(?P<far>(?: [\w']+){0,4})[ (]+$",
    re.IGNORECASE,
)
_NEAR = re.compile(
    r"(?: (?:a|an|at all|actually|really|in fact|be|indeed|the case that|correct that|think|believe|that|it|"
    r"it's|is|this))* ?",
    re.IGNORECASE,
)
"""Words allowed between "not" and what it negates; with other words between, it is unclear what is negated."""
_UNSURE = re.compile(
    r"\b(?:half|partly|partially|mostly|largely|sometimes|often|usually|barely|neither|nor|either|both|whether|if|unless|"
    r"when|almost|nearly|necessarily|always|only|or|more|less|too|as|than|between|un|non|semi|in|of|to|at first|"
    r"previously)[ -]*$|[!¬~≠]\s*$|"
    r"\b(?:wrong|incorrect|mistaken|error|false that|contrary|opposite|says|said|they say|some say|"
    r"(?:many|some|might) think|would you say|is it|is this|it be|(?<!no )(?<!without )doubt)\b",
    re.IGNORECASE,
)
"""Before a word, they mean that the text does not assert it."""
_QUALIFIED = re.compile(
    r"[,;]?\s*(?:but )?(?:only )?(?:if|unless|for (?:some|most)|mostly|partly|partially|sometimes|in part|"
    r"to some extent|(?:but )?not (?:always|necessarily|entirely|quite|exactly)|(?:or )?maybe not|or not|"
    r"is (?:wrong|incorrect|not))\b",
    re.IGNORECASE,
)
"""After a word, they mean that the text retracts part of it."""
_REASON = re.compile(r"\b(?:because|since|although|though)\b", re.IGNORECASE)
_COORDINATED = re.compile(
    r"\s*[,;:.?]?\s*(?:(?:and|or|/|&|xor|nor|but(?: also)?|however|although|though),?|,)\s*"
    r"(?:also |maybe |perhaps |not )*|[ ,/]*",
    re.IGNORECASE,
)
_ANSWERED = re.compile(
    rf"(?:\b(?:answer|result|value|statement|conclusion|claim|it|this|that|which)\b[^.!?\n]{{0,40}}?(?:\bis|\bbe|:|=)|"
    rf"[=⇒{BOX}]|\b(?:{'|'.join(sorted(lexicon.CONCLUSIONS - {'⇒'}))}),?)(?: [\w']+){{0,2}}\s*$",
    re.IGNORECASE,
)
_WRONG = re.compile(r"\b(?:this|that|it) is (?:wrong|incorrect|not right|not correct)\b", re.IGNORECASE)
"""Means false if the words are true and false."""
_COMES_TO = re.compile(r"[\s)]*(?:which )?(?:is|equals|gives|evaluates to|simplifies to|=)[\s(:]*")
"""Between two truth values: the first ones belong to a formula, the last is its result."""
_AFTER_NO = "because|since|as|it|he|she|they|this|that|the|there|we|you|i|its|his|her|a|an|for|not|but|so|yes|and|or"
_NO_DETERMINER = re.compile(rf"(?! (?!(?:{_AFTER_NO}|if|unless|at all)\b)\w)(?!\.?\s?\d)", re.IGNORECASE)
"""Must follow "no" if it is an answer: "no doubt", "no way" and "no one" are not answers."""
_NEAR_ENOUGH = 200
"""How many characters before a word can change its meaning."""


@dataclass(frozen=True)
class _Mention:
    value: str | None
    """None: the words mean neither."""
    start: int
    end: int
    own: bool
    """Whether it is one of the item's own words."""
    announced: bool
    """Whether the text names it as the answer."""


def read_boolean(choices: Sequence[str], text: str) -> Reading:
    """Read the truth value that ``text`` answers with; ``choices``: the words for (true, false)."""
    text = plain(text)
    refused = bool(lexicon.REFUSED.search(text))
    found = _mentions(choices, text)
    kept = _not_taken_back(text, found)
    both = _says_both(text, found)
    strict = None if both else _strict(text, found)
    loose = _concluded(kept)
    if kept is not found:
        return Reading(strict, loose, loose, refused)
    if refused and strict is None:
        return Reading(refused=True)
    announced = {m.value for m in found if m.announced and m.value}
    if "true" in map(str.lower, choices) and _WRONG.search(text):
        announced.add("false")
    contradicted = (both and not announced) or (strict and announced - {strict})
    return Reading(strict, loose, None if contradicted else strict or loose, refused)


def _mentions(choices: Sequence[str], text: str) -> list[_Mention]:
    own = {" ".join(plain(word).lower().split()): value for word, value in zip(choices, ("true", "false"), strict=True)}
    words = _COMMON | own if own.keys() & _COMMON.keys() else own
    pattern = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=len, reverse=True))
    found: list[_Mention] = []
    for matched in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-]|'\w)", text, re.IGNORECASE):
        word = " ".join(matched[0].lower().split())
        if word == "no" and not _NO_DETERMINER.match(text, matched.end()):
            continue
        mention = _mention(text, matched, words[word], own=word in own, is_reply=word in ("yes", "no"))
        if _REASON.search(_clause_before(text, mention.start)):
            continue
        comes_to = found and _COMES_TO.fullmatch(text[found[-1].end : mention.start])
        found.append(replace(mention, announced=True) if comes_to else mention)
    return found


def _mention(text: str, matched: re.Match[str], value: str, own: bool, is_reply: bool) -> _Mention:
    before = _clause_before(text, matched.start())
    negated = _NEGATED.search(before)
    unsure = _QUALIFIED.match(text, matched.end()) or (negated and (is_reply or not _NEAR.fullmatch(negated["far"])))
    start = matched.start()
    if negated:
        before, start = before[: -len(negated[0])], start - len(negated[0])
        unsure = unsure or re.search(r"\b(?:not|never)\b|n't\b", before)  # twice negated
        value = "false" if value == "true" else "true"
    unsure = unsure or _UNSURE.search(before)
    announced = bool(_ANSWERED.search(text[max(0, start - _NEAR_ENOUGH) : start]))
    return _Mention(None if unsure else value, start, matched.end(), own, announced)


def _clause_before(text: str, start: int) -> str:
    return re.split(r"[.;?,\n]|!(?= )", text[max(0, start - _NEAR_ENOUGH) : start])[-1]


def _strict(text: str, found: Sequence[_Mention]) -> str | None:
    if not found or not found[0].own or re.search(r"\w", text[: found[0].start]):
        return None
    return found[0].value


def _not_taken_back(text: str, found: list[_Mention]) -> list[_Mention]:
    """Return the mentions after the last retraction in the text; all of them if there is none."""
    for mark in corrections(text, judged=False):
        if not mark.is_no and any(m.end <= mark.start for m in found):
            behind = [m for m in found if m.start >= mark.end]
            return behind if behind or mark.firm else found
    return found


def _concluded(found: Sequence[_Mention]) -> str | None:
    announced = [m.value for m in found if m.announced]
    said = set(announced[-1:]) or {m.value for m in found}
    return said.pop() if len(said) == 1 else None


def _says_both(text: str, found: Sequence[_Mention]) -> bool:
    """Return whether the first words mean both ("yes and no", "true or false"), or neither ("half true")."""
    if found and found[0].value is None:
        return not any(m.announced for m in found[1:])
    if len(found) < 2 or found[0].value == found[1].value or found[1].announced:
        return False
    between, alone = text[found[0].end : found[1].start], re.match(r"\W*(?:$|[.!?,;])", text[found[1].end :])
    return bool(_COORDINATED.fullmatch(between) or (alone and re.fullmatch(r"[^\w\n]*", between)))
