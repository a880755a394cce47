"""Labels of choices as answers.

A letter is a label only where the text makes it one: a bracket ("(C)", "C)"), a phrase ("the answer is C", "option C",
"C is correct"), or the end ("C."): the article in "A careful reading" and the pronoun in "I think" are none. Strict:
the text opens with the label. Loose: the label that the text concludes with; without labels, the one choice that it
says in words. A label beside the words of another choice is no answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.schemas.records import Item
from cotfaith.workers.readers import lexicon
from cotfaith.workers.readers.corrections import corrections
from cotfaith.workers.readers.latex import BOX, END_BOX
from cotfaith.workers.readers.phrases import comparable
from cotfaith.workers.readers.plain import plain, without_boxes
from cotfaith.workers.readers.reading import Reading
from cotfaith.workers.readers.spoken import spoken_choice

_GOES_ON = r"(?: (?:is|because|since|seems|would|and|or|but)\b)"
_END = rf"(?=\s*(?:[)\]}}:,;?!/&|=\"${END_BOX}]|'(?!\w)|\.(?!\w)|[-—](?=\s|$)|$|\n)|{_GOES_ON})"
"""What must follow a letter without brackets."""
_ASKED = r"(?:answer|option|choice|letter|label)"
_PHRASE = (
    rf"(?:\b{_ASKED}(?: (?:is|be|would be|must be|should be|has to be|here is|choice|option))?\s*[:=]?|"
    r"\b(?:choose|chose|pick|select|go with|going with|choosing|selecting|it's|it is|is|be|be:|are|gives|was)|[=⇒:])"
)
_ADVERB = (
    r"(?: (?:definitely|clearly|likely|most likely|probably|therefore|option|choice|answer|letter|indeed|thus|simply))*"
)
_MENTION = re.compile(
    rf"(?P<box>{BOX}\s*[(\[]?(?P<boxed>[A-Za-z])(?=\s*[)\].:]?\s*(?:{END_BOX}|\s\S)))"
    r"|(?:(?<![^\W\d_])|(?<=option)|(?<=answer)|(?<=choice))[(\[{]\s?(?P<bracketed>[A-Za-z])\s?[)\]}]"
    r"|(?<![\w'])(?P<closed>[A-Za-z])\s?[)\]](?!\w)"
    rf"|{_PHRASE}{_ADVERB}[\s$({BOX}\[]*(?P<named>[A-Z]){_END}"
    rf"|\b{_ASKED} [(\[]?(?P<optional>[A-Z])(?!\w|'|-)"
    rf"|(?<![\w'&.-])(?P<open>[A-Z]){_END}",
)
_NAMES = ("boxed", "bracketed", "closed", "named", "optional", "open")
_STRONG = re.compile(
    r"\b(?:answer|choose|chose|pick|select|go with|going with|choosing|selecting|correct|right|best|conclu\w+)\b"
    rf"[^.!?\n]{{0,30}}$|\b(?:{'|'.join(sorted(lexicon.CONCLUSIONS - {'⇒'}))})\b,?(?: \w+){{0,3}}\s*$",
    re.IGNORECASE,
)
_CONFIRMED = re.compile(
    r"[)\]]?\s*(?:is|would be|must be|seems|looks) (?:definitely |clearly |probably |likely |the )*(?:most |only )?"
    r"(?:correct|right|best|true|answer|one|likely)",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|never|neither|nor|rather than|instead of|except|unlike|rul\w+ out|eliminat\w+|reject\w*|exclud\w+|"
    r"without|against|than|(?:any|every)thing but|all but|wrong|incorrect|worst|least|second|doubt|(?:un|less )likely|"
    r"false|trap|distractor|avoid|tempt\w*|say|says|said|(?<!i )chose|chooses|picks|thinks|thought|might think|many|some|"
    r"others|everyone|people|friend|you|between|either|if|unless|because|since|is it|it be|cannot be|can't be)|n't)"
    r"(?: [\w']+){0,3}\s*[(\[]?$",
    re.IGNORECASE,
)
"""Before a label: the text does not say that it is the answer."""
_DENIED_BEHIND = re.compile(
    r"[)\]]?(?:\s*[^.;,()\n]{0,30}?)?\s*(?:\b(?:not|never|wrong|incorrect|false|ruled out|eliminated|excluded|tempting|"
    r"(?:im)?possible|(?:im)?plausible|worse|the worst|the trap|a trap|a decoy|the distractor|a distractor|unlikely|out|"
    r"close but|could be|might be|may be)\b|n't)|[)\]]?,? (?:only )?(?:if|unless)\b",
    re.IGNORECASE,
)
"""Behind a label: the same."""
_BEFORE_LABEL = lexicon.OPENERS | lexicon.words("surely option letter sure say both either neither between")
_BESIDE = re.compile(
    r"[\W_]*(?:(?:and|or|and/or|but|then|maybe|perhaps|possibly|vs)\W+)*"
    r"(?P<label>[A-Z])(?![\w'])(?![)\].]? (?:is|was)\b)"
)
"""Another label right behind one."""
_ABBREVIATED = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Prof|U\.S|vs)\.|[<>≤≥≠])\s*$")
_SAYS = re.compile(r"(?:which is|that is|that's|i\.e\.|namely|is|means|meaning|the|as|for)\s", re.IGNORECASE)
"""Between a label and its text."""
_NEAR_ENOUGH = 200
"""Characters before a label that can change what it says."""


@dataclass(frozen=True)
class _Mention:
    label: str
    start: int
    end: int
    denied: bool
    strong: bool
    """Whether the text says that this is the answer."""
    marked: bool
    """Whether a bracket or a phrase makes it a label."""


def read_label(item: Item, text: str) -> Reading:
    """Read the label that ``text`` answers with."""
    text = plain(text)
    refused = bool(lexicon.REFUSED.search(text))
    found = _mentions(text)
    first = _opening(text, found)
    strict = first.label if first and first.label in item.labels and not first.denied else None
    said = _not_taken_back(text, found)
    if said is not found:
        loose = _known(item, _concluded(said))
        return Reading(strict, loose, loose, refused)
    loose = _known(item, _concluded(found))
    if first and (other := _other_text(item, first, text)):
        return Reading(strict, other, None, refused)
    if not found and not refused:
        loose = spoken_choice(item, without_boxes(text))
    value = strict or loose
    if (first and _is_several(text, first, found)) or (first and strict is None and loose is None):
        value = None
    return Reading(strict, loose or (strict if value else None), value, refused)


def _mentions(text: str) -> list[_Mention]:
    """Return the letters that may be labels, whether the item has them or not."""
    if re.fullmatch(r"\W*[a-z]\W*", text):
        text = text.upper()
    found: list[_Mention] = []
    for matched in _MENTION.finditer(text):
        name = next(name for name in _NAMES if matched[name])
        label, start, end = matched[name].upper(), matched.start(name), matched.end(name)
        if name == "open" and not _is_open_label(text, label, start, end):
            continue
        found.append(_mention(text, label, start, end, name))
    return found


def _is_open_label(text: str, label: str, start: int, end: int) -> bool:
    """Return whether a letter without a bracket or a phrase may be a label: "plan B" and "I would" hold none."""
    if _ABBREVIATED.search(text[:start]):
        return False
    before = re.split(r"[.;:!?,\n—]|\b(?:and|or|but)\b", text[max(0, start - _NEAR_ENOUGH) : start])[-1].lower()
    if label == "I" and re.match(r" (?!is\b|because\b)\w", text[end:]):
        return False
    if label == "A" and re.match(r" (?:would|seems)\b", text[end:]):
        return False
    return set(re.findall(r"\w+(?:'\w+)?", before)) <= _BEFORE_LABEL


def _mention(text: str, label: str, start: int, end: int, name: str) -> _Mention:
    before = re.split(
        r"[.;!?,\n]|(?<!anything )(?<!everything )(?<!all )\bbut\b", text[max(0, start - _NEAR_ENOUGH) : start].lower()
    )[-1]
    confirmed = bool(_CONFIRMED.match(text, end))
    denied = bool(_DENIED_BEFORE.search(before)) or (not confirmed and bool(_DENIED_BEHIND.match(text, end)))
    strong = name == "boxed" or confirmed or bool(_STRONG.search(before.rstrip(" (["))) or name == "named"
    return _Mention(label, start, end, denied, strong, name != "open")


def _opening(text: str, found: Sequence[_Mention]) -> _Mention | None:
    """Return the label that the text opens with."""
    opens = found and not re.search(r"\w", text[: found[0].start])
    return found[0] if opens else None


def _not_taken_back(text: str, found: list[_Mention]) -> list[_Mention]:
    """Return the mentions behind the last place where the text takes something back; all where it takes nothing."""
    for mark in corrections(text):
        if any(m.end <= mark.start for m in found):
            behind = [m for m in found if m.start >= mark.end]
            return behind if behind or mark.firm else found
    return found


def _concluded(found: Sequence[_Mention]) -> str | None:
    """Return the one label that the text comes to."""
    open_ = [m for m in found if not m.denied]
    for said in ([m for m in open_ if m.strong], [m for m in open_ if m.marked], open_):
        if said:
            labels = {m.label for m in said}
            return labels.pop() if len(labels) == 1 else None
    return None


def _known(item: Item, label: str | None) -> str | None:
    return label if label in item.labels else None


def _is_several(text: str, first: _Mention, found: Sequence[_Mention]) -> bool:
    """Return whether another label stands beside the first, or the text comes to another in the end."""
    others = [m for m in found if m.label != first.label and not m.denied and m.start > first.start]
    beside = _BESIDE.match(text, first.end)
    if beside and beside["label"] in "AI" and re.match(r" [a-z]", text[beside.end() :]):
        beside = None  # an article or a pronoun
    denied = beside and any(m.denied and m.start == beside.start("label") for m in found)
    next_to = beside is not None and beside["label"] != first.label and not denied
    return not first.denied and (next_to or any(m.strong for m in others))


def _other_text(item: Item, first: _Mention, text: str) -> str | None:
    """Return the label whose text stands behind the first label, where that one's own does not."""
    if first.label not in item.labels:
        return None
    rest = text[first.end :].lstrip(f" )].:,-—={BOX}{END_BOX}")
    while said := _SAYS.match(rest):
        rest = rest[said.end() :]
    rest = comparable(re.split(r"\n|\.\s", rest, maxsplit=1)[0])
    texts = [comparable(choice) for choice in item.choices]
    own = texts[item.labels.index(first.label)]
    for joined in (f"{own} or ", f"{own} and ", f"{own}/"):
        rest = rest.removeprefix(joined)
    return None if rest == own else next((x for x, t in zip(item.labels, texts, strict=True) if t == rest), None)
