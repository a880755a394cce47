"""BBQ (Parrish et al. 2022, arXiv 2110.08193), as published, and with weak evidence (Turpin et al. 2023, 2305.04388).

Published: ``context``, ``question``, ``ans0`` .. ``ans2``, ``label`` (0 to 2), and where given ``category``,
``question_index``, ``answer_info``, ``additional_metadata``. Two records are a pair if their contexts decide the same
question for different people and are else the same; ``side`` is the person that the evidence points to. Ambiguous
contexts have no evidence to swap, so they have no pair.

With weak evidence: the same fields and ``weak_evidence``, two texts. Each of them behind the context is an item, and
the two are a pair. ``label`` may be left out: then the gold is Unknown.

``target_loc``: the place, 0 to 2, of the answer that the stereotype suggests; without it, it is the answer whose group
is among ``stereotyped_groups``. It is the same for questions of both polarities. ``unk_idx``: the place of Unknown; it
must agree with the options' texts.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import CHOICE_LABELS, Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks.adapters.adapter import Adapter
from cotfaith.workers.tasks.ids import item_id
from cotfaith.workers.tasks.unknown_option import unknown_places
from cotfaith.workers.tasks.values import Record, field_of, given, scalar_text, text_of, texts_of, where, word_of

ANSWERS = ("ans0", "ans1", "ans2")
_ARTICLE = re.compile(r"\ban?\b")


@dataclass(frozen=True)
class _Read:
    """A record, where it is, and what its options are."""

    record: Record
    path: Path
    index: int

    @property
    def at(self) -> str:
        return where(self.path, self.index)

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(word_of(self.record, name, self.path, self.index).strip() for name in ANSWERS)

    @property
    def about(self) -> list[list[str]]:
        """For each option its name and its group in ``answer_info``; empty lists if there is none."""
        info = self.record.get("answer_info")
        return [texts_of(info.get(name)) or [] if isinstance(info, dict) else [] for name in ANSWERS]

    def text(self, name: str) -> str:
        return text_of(self.record, name, self.path, self.index).strip()

    def place(self, name: str) -> int | None:
        """Return the place of an option, 0 to 2; None if the field is missing."""
        if given(self.record, name, self.path) is None:
            return None
        value = field_of(self.record, name, self.path, self.index)
        text = scalar_text(value) if not isinstance(value, bool) else None
        if text is None or text.strip() not in ("0", "1", "2"):
            raise TaskError(f"{self.at}: field {name!r} is {value!r}; expected the place of an option, 0, 1 or 2.")
        return int(text)

    def unknown(self) -> int:
        """Return the place of the option that means Unknown."""
        found = unknown_places(self.choices)
        if not found:
            found = [place for place, own in enumerate(self.about) if own[1:2] == ["unknown"]]
        if len(found) != 1:
            which = f"{len(found)} of its options mean 'Unknown'" if found else "none of its options means 'Unknown'"
            raise TaskError(f"{self.at}: {which}: {list(self.choices)}. Expected one, such as 'Cannot be determined'.")
        said = self.place("unk_idx")
        if said not in (None, found[0]):
            raise TaskError(
                f"{self.at}: field 'unk_idx' is {said} ({self.choices[said or 0]!r}), but the option that means "
                f"'Unknown' is {found[0]} ({self.choices[found[0]]!r}). Fix the record."
            )
        return found[0]

    def stereotype(self, unknown: int) -> int | None:
        """Return the place of the answer that the stereotype suggests; None if the record does not tell one."""
        told = self.place("target_loc")
        if told == unknown:
            raise TaskError(f"{self.at}: field 'target_loc' is {told}, which is the option that means 'Unknown'.")
        more = self.record.get("additional_metadata")
        groups = _folded(texts_of(more.get("stereotyped_groups"))) if isinstance(more, dict) else set()
        found = [place for place, own in enumerate(self.about) if place != unknown and groups & _folded(own)]
        return told if told is not None else found[0] if len(found) == 1 else None


def _folded(texts: Sequence[str] | None) -> set[str]:
    return {text.strip().casefold() for text in texts or ()}


def bbq(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one item for each published record, and two for each with weak evidence."""
    read = [_Read(record, path, i) for i, record in enumerate(records)]
    items = [item for one in read for item in _items(spec.name, one)]
    if untold := sum(item.stereotype is None for item in items):
        warnings.warn(
            f"{path}: {untold:,} of {len(items):,} items do not tell which answer the stereotype suggests "
            "(target_loc, or one option whose group is among stereotyped_groups); "
            "they are left out of what is counted as stereotyped.",
            stacklevel=2,
        )
    return list(_paired(path, items, {item_id(spec.name, one.index): one for one in read}))


def _items(task: str, read: _Read) -> Iterator[Item]:
    choices, unknown, gold = read.choices, read.unknown(), read.place("label")
    stereotype, category = read.stereotype(unknown), _word(read, "category")
    context, question = read.text("context"), read.text("question")
    template = _word(read, "question_index")
    evidence = given(read.record, "weak_evidence", read.path)
    if gold is None and evidence is None:
        raise TaskError(f"{read.at}: field 'label' is missing; expected the place of the right option, 0, 1 or 2.")
    item = Item(
        id=item_id(task, read.index),
        question=f"{context}\n{question}",
        gold=CHOICE_LABELS[unknown if gold is None else gold],
        answer_format="choice",
        choices=choices,
        metadata=tuple((name, word) for name in _METADATA if (word := _word(read, name)) is not None),
        group=None if template is None else f"{category or ''} {template}".strip(),
        unknown=CHOICE_LABELS[unknown],
        stereotype=None if stereotype is None else CHOICE_LABELS[stereotype],
    )
    if evidence is None:
        yield item
        return
    for side, text in enumerate(_evidence(read, evidence), start=1):
        yield replace(
            item, id=f"{item.id}-{side}", question=f"{context} {text}\n{question}", pair=item.id, side=str(side)
        )


_METADATA = ("category", "question_polarity", "context_condition", "example_id")


def _word(read: _Read, name: str) -> str | None:
    if given(read.record, name, read.path) is None:
        return None
    return word_of(read.record, name, read.path, read.index).strip()


def _evidence(read: _Read, value: Any) -> list[str]:
    texts = [text.strip() for text in texts_of(value) or []]
    if len(texts) != 2 or not all(texts) or texts[0] == texts[1]:
        raise TaskError(f"{read.at}: field 'weak_evidence' is {value!r}; expected a list of two different texts.")
    return texts


def _paired(path: Path, items: list[Item], read: dict[str, _Read]) -> Iterator[Item]:
    """Yield the items; two whose contexts swap the evidence are a pair."""
    alike: defaultdict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    decided = [item for item in items if item.pair is None and item.gold != item.unknown]
    for item in decided:
        alike[_key(item, read[item.id])][_chosen(item)].append(item.id)
    pairs = [ids for own in alike.values() if len(own) == 2 for ids in zip(*own.values(), strict=False)]
    names = {one: ids[0] for ids in pairs for one in ids}
    if lone := len(decided) - len(names):
        warnings.warn(
            f"{path}: {lone:,} of {len(decided):,} items with a decided context have no other with the evidence "
            "swapped; they are asked, but are no part of a pair.",
            stacklevel=2,
        )
    for item in items:
        yield replace(item, pair=names[item.id], side=_chosen(item)) if item.id in names else item


def _chosen(item: Item) -> str:
    return item.choices[CHOICE_LABELS.index(item.gold)]


def _key(item: Item, read: _Read) -> tuple[str, ...]:
    """Return what two contexts with swapped evidence share: all but which person is which."""
    people = [place for place in range(len(ANSWERS)) if CHOICE_LABELS[place] != item.unknown]
    named = [next((name for name in read.about[place][:1] if name.strip()), read.choices[place]) for place in people]
    texts = sorted(_folded([read.choices[place] for place in people]))
    return (item.group or "", read.text("question"), *texts, _anonymous(read.text("context"), named))


def _anonymous(context: str, people: Sequence[str]) -> str:
    """Return the context with the people numbered in the order in which they occur, and "an" as "a"."""
    names = sorted(map(re.escape, people), key=len, reverse=True)
    found = re.compile(rf"\b(?:{'|'.join(names)})\b", re.IGNORECASE)
    order = list(dict.fromkeys(match[0].casefold() for match in found.finditer(context)))
    return _ARTICLE.sub("a", found.sub(lambda match: f"{{{order.index(match[0].casefold())}}}", context).casefold())


ADAPTER = Adapter(
    name="bbq",
    summary="BBQ, as published or with weak evidence. Parrish et al. 2022; Turpin et al. 2023.",
    read=bbq,
)
