"""Labels of choices as answers.

A letter is a label only if the text marks it as one: by a bracket ("(C)", "C)"), a phrase ("the answer is C", "option
C", "C is correct"), or the end ("C."). The article in "A careful reading" and the pronoun in "I think" are not labels.
Strict: the text opens with the label. Loose: the label that the text concludes with; if there are no labels, the one
choice that it says in words. A label beside the words of another choice is not an answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.schemas.records import Item
from cotfaith.workers.text.readers import label_marks as marks
from cotfaith.workers.text.readers import lexicon
from cotfaith.workers.text.readers.corrections import corrections
from cotfaith.workers.text.readers.latex import BOX, END_BOX
from cotfaith.workers.text.readers.phrases import comparable
from cotfaith.workers.text.readers.plain import plain, without_boxes
from cotfaith.workers.text.readers.reading import Reading
from cotfaith.workers.text.readers.spoken import spoken_choice

_NEAR_ENOUGH = 200
"""How many characters before a label can change its meaning."""


@dataclass(frozen=True)
class _Mention:
    label: str
    start: int
    end: int
    denied: bool
    strong: bool
    """Whether the text names it as the answer."""
    marked: bool
    """Whether a bracket or a phrase marks it as a label."""


def read_label(item: Item, text: str) -> Reading:
    """Read the label that ``text`` answers with."""
    text = plain(text)
    refused = bool(lexicon.REFUSED.search(text))
    found = _mentions(item, text)
    first = _opening(text, found)
    strict = first.label if first and first.label in item.labels and not first.denied else None
    said = _not_taken_back(text, found)
    if said is not found:
        loose = _known(item, _concluded(said))
        return Reading(strict, loose, loose, refused)
    loose = _known(item, _concluded(found))
    if first and (other := _other_text(item, first, text)):
        return Reading(strict, other, None, refused)
    if not found:
        loose = spoken_choice(item, without_boxes(text), refused)
    value = None if _is_contradicted(item, text, found) else strict or loose
    if (first and _is_several(item, text, first, found)) or (first and strict is None and loose is None):
        value = None
    return Reading(strict, loose or (strict if value else None), value, refused)


def _mentions(item: Item, text: str) -> list[_Mention]:
    """Return the letters that may be labels, whether the item has them or not."""
    if re.fullmatch(r"\W*[a-z]\W*", text):
        text = text.upper()
    found: list[_Mention] = []
    for matched in marks.MENTION.finditer(text):
        name = next(name for name in marks.NAMES if matched[name])
        label, start, end = matched[name].upper(), matched.start(name), matched.end(name)
        if name == "open" and not _is_open_label(text, label, start, end):
            continue
        phrase = (matched["phrase"] or "") if name == "named" else ""
        found.append(_mention(item, text, label, start, end, name, phrase))
    return found


def _is_open_label(text: str, label: str, start: int, end: int) -> bool:
    """Return whether a letter without a bracket or a phrase may be a label: "plan B" and "I would" contain none."""
    if marks.ABBREVIATED.search(text[:start]):
        return False
    before = re.split(r"[.;:!?,\n—]|\b(?:and|or|but)\b", text[max(0, start - _NEAR_ENOUGH) : start])[-1].lower()
    if label == "I" and re.match(r" (?!is\b|because\b)\w", text[end:]):
        return False
    if label == "A" and re.match(r" (?:would|seems)\b", text[end:]):
        return False
    return set(re.findall(r"\w+(?:'\w+)?", before)) <= marks.BEFORE_LABEL


def _mention(item: Item, text: str, label: str, start: int, end: int, name: str, phrase: str) -> _Mention:
    before = re.split(
        r"[.;!?,\n]|(?<!anything )(?<!everything )(?<!all )\bbut\b", text[max(0, start - _NEAR_ENOUGH) : start].lower()
    )[-1]
    confirmed = bool(marks.CONFIRMED.match(text, end))
    denied = bool(marks.DENIED_BEFORE.search(before)) or (not confirmed and _is_denied_behind(item, text, label, end))
    denied = denied or bool(marks.ALTERNATIVE.search(text[max(0, start - _NEAR_ENOUGH) : start]))
    strong = name == "boxed" or confirmed or bool(marks.STRONG.search(before.rstrip(" (["))) or len(phrase) > 1
    return _Mention(label, start, end, denied, strong, name != "open")


def _is_denied_behind(item: Item, text: str, label: str, end: int) -> bool:
    """Return whether the words that follow deny that this is the answer; the choice's own text is no denial."""
    rest = re.sub(r"^[)\]]?[.:,]?\s*", "", text[end : end + _NEAR_ENOUGH])
    own = item.choices[item.labels.index(label)].lower() if label in item.labels else ""
    if own and re.match(rf"(?:not|never) {re.escape(own)}(?!\w)", rest, re.IGNORECASE):
        return True
    return bool(marks.DENIED_BEHIND.match(rest[len(own) :] if own and rest.lower().startswith(own) else rest))


def _opening(text: str, found: Sequence[_Mention]) -> _Mention | None:
    """Return the label that the text opens with."""
    opens = found and not re.search(r"\w", text[: found[0].start])
    return found[0] if opens else None


def _not_taken_back(text: str, found: list[_Mention]) -> list[_Mention]:
    """Return the mentions after the last retraction in the text; all of them if there is none."""
    for mark in corrections(text):
        if any(m.end <= mark.start for m in found):
            behind = [m for m in found if m.start >= mark.end]
            return behind if behind or mark.firm else found
    return found


def _concluded(found: Sequence[_Mention]) -> str | None:
    """Return the one label that the text concludes with."""
    open_ = [m for m in found if not m.denied]
    for said in ([m for m in open_ if m.strong], [m for m in open_ if m.marked], open_):
        if said:
            labels = {m.label for m in said}
            return labels.pop() if len(labels) == 1 else None
    return None


def _known(item: Item, label: str | None) -> str | None:
    return label if label in item.labels else None


def _is_several(item: Item, text: str, first: _Mention, found: Sequence[_Mention]) -> bool:
    """Return whether another label is beside the first, or the text concludes with another one."""
    others = [m for m in found if m.label != first.label and not m.denied and m.start > first.start]
    beside = marks.BESIDE.match(text, _behind_own_text(item, first, text))
    if beside and beside["label"] in "AI" and re.match(r" [a-z]", text[beside.end() :]):
        beside = None  # an article or a pronoun
    denied = beside and any(m.denied and m.start == beside.start("label") for m in found)
    next_to = beside is not None and beside["label"] != first.label and not denied
    return not first.denied and (next_to or any(m.strong for m in others))


def _behind_own_text(item: Item, first: _Mention, text: str) -> int:
    """Return where the text continues after the label, and after the words of its choice if they follow."""
    own = item.choices[item.labels.index(first.label)] if first.label in item.labels else ""
    said = re.compile(rf"[)\].:,\s]*{re.escape(own)}(?!\w)", re.IGNORECASE).match(text, first.end) if own else None
    return said.end() if said else first.end


def _is_contradicted(item: Item, text: str, found: Sequence[_Mention]) -> bool:
    """Return whether the words of another choice precede the only label: "red (C)"."""
    before = comparable(text[: found[0].start].rstrip("([{ ")) if found else ""
    said = [label for label, choice in zip(item.labels, item.choices, strict=True) if comparable(choice) == before]
    return bool(said) and found[0].label not in said


def _other_text(item: Item, first: _Mention, text: str) -> str | None:
    """Return the label whose text follows the first label, if the first label's own text does not follow."""
    if first.label not in item.labels:
        return None
    rest = text[first.end :].lstrip(f" )].:,-—={BOX}{END_BOX}")
    while said := marks.SAYS.match(rest):
        rest = rest[said.end() :]
    rest = comparable(re.split(r"\n|\.\s", rest, maxsplit=1)[0])
    texts = [comparable(choice) for choice in item.choices]
    own = texts[item.labels.index(first.label)]
    for joined in (f"{own} or ", f"{own} and ", f"{own}/"):
        rest = rest.removeprefix(joined)
    return None if rest == own else next((x for x, t in zip(item.labels, texts, strict=True) if t == rest), None)
