"""What ``cotfaith import`` takes from its sources: checked records for the adapter ``chains``, and why it omits others.

Knows nothing about columns (``columns.py``) and prints nothing.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import check_items
from cotfaith.workers.tasks.adapters.chain_items import BARE, ChainItem, FileFacts, chain_item, file_facts
from cotfaith.workers.tasks.choices import Choices
from cotfaith.workers.tasks.golds import gold_label
from cotfaith.workers.tasks.ids import free_id
from cotfaith.workers.tasks.open_golds import are_letters
from cotfaith.workers.tasks.values import Record, given, scalar_text, where

_SHOWN = 10
"""The most reasons that are listed when chains are left out."""


@dataclass
class Imported:
    """What was taken, and why the rest was not."""

    answer_format: str | None = None
    """For chains without choices; null: decided by each gold."""
    gold_is: str = "auto"
    channel: str | None = None
    """The only channel to take; null: any."""
    taken: list[tuple[ChainItem, Record, bool]] = field(default_factory=list)
    """A chain, its record, and whether the record has an id."""
    left_out: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    """Reason or remark -> where it occurred first."""
    remarks: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    columns: dict[str, list[Path]] = field(default_factory=dict)
    """Columns, as text for people -> the tables that have them."""
    renamed: list[str] = field(default_factory=list)
    """Ids of sources that another chain had too, and what they became."""

    def spec(self, source: Path) -> TaskSpec:
        """Return the task by which ``source`` is read."""
        settings = {"answer_format": self.answer_format, "gold_is": self.gold_is}
        return TaskSpec.model_validate({"name": "chains", "file": str(source), "adapter": "chains"} | settings)

    def add(self, source: Path, records: Sequence[Record | str]) -> None:
        """Take a source's records, or count the reasons: its own, or the ones that come as texts."""
        facts = file_facts(self.spec(source), source, [record for record in records if not isinstance(record, str)])
        for index, record in enumerate(records):
            reason = record if isinstance(record, str) else self._take(source, index, record, facts)
            if reason is not None:
                self.left_out[reason] += 1
                self.first.setdefault(reason, where(source, index))

    def _take(self, source: Path, index: int, record: Record, facts: FileFacts) -> str | None:
        """Keep the record if a run can make an item of it, or return why it cannot."""
        at = where(source, index)
        try:
            found = chain_item(self.spec(source), source, index, record, facts)
            check_items("chains", [found.item])
            written_record(found, record)
        except TaskError as error:
            return _reason(str(error), at)
        if BARE in found.remarks:
            return BARE
        if self.channel not in (None, channel := channel_of(found)):
            return f"it is not of the channel {self.channel}: {f'it is of {channel}' if channel else 'it names none'}"
        for remark in found.remarks:
            self.remarks[remark] += 1
            self.first.setdefault(remark, at)
        self.taken.append((found, record, given(record, "id", source) is not None))
        return None

    def records(self) -> list[Record]:
        """Return what to write: one record for each chain. An id that another chain has gets a number."""
        self.renamed.clear()
        taken = {found.item.id for found, _, has_id in self.taken if has_id}
        seen: set[str] = set()
        rows = []
        for found, record, has_id in self.taken:
            name = found.item.id
            own = name if has_id and name not in seen else free_id(name, taken)
            seen |= {name} if has_id else set()
            if has_id and own != name:
                self.renamed.append(f"{name!r} became {own!r}")
            rows.append({"id": own} | written_record(found, record))
        return rows

    def left_out_text(self) -> str:
        """Return a line for each reason, the most frequent first; "" if nothing was left out."""
        if not self.left_out:
            return ""
        common = self.left_out.most_common(_SHOWN)
        lines = [f"  {count:,} {reason} (first: {self.first[reason]})" for reason, count in common]
        more = len(self.left_out) - len(common)
        rest = [f"  and {more:,} more reasons"] if more else []
        return "\n".join([f"Left out: {self.left_out.total():,}", *lines, *rest])

    def columns_text(self) -> list[str]:
        """Return a line for each set of columns, with the first of its tables."""
        return [
            f"Columns of {paths[0]}{f' and {len(paths) - 1:,} more' if len(paths) > 1 else ''}: {text}."
            for text, paths in self.columns.items()
        ]

    def renamed_text(self) -> list[str]:
        """Return a line on the ids that got a number, if any did; ``records`` gives it."""
        first = self.renamed[:1]
        return [f"{len(self.renamed):,} ids were not unique and got a number (first: {one})." for one in first]

    def channels_text(self) -> list[str]:
        """Return a line on the channels of the chains, if any chain has one."""
        counts = Counter(channel_of(found) or "not told apart" for found, _, _ in self.taken)
        named = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
        apart = " Figures of each are kept apart." if len(counts) > 1 else ""
        return [f"Channels: {named}.{apart}"] if counts.keys() != {"not told apart"} else []

    def remarks_text(self) -> list[str]:
        """Return a line for each thing that was left empty, and the notes on whole files."""
        counted = self.remarks.most_common()
        return [*self.notes, *(f"{text}: {count:,} (first: {self.first[text]})" for text, count in counted)]


def channel_of(found: ChainItem) -> str | None:
    """Return what a chain's text is: as its record says, or the thought that it was; None: not told."""
    supplied = found.item.supplied
    own = None if supplied is None else supplied.channel
    return own or ("reasoning" if found.chain.is_thought else None)


def letters_without_choices(records: Sequence[Record | str]) -> list[Record | str]:
    """Give a log's samples a reason if all their targets are letters and there are no choices."""
    bare = [record for record in records if not isinstance(record, str) and "choices" not in record]
    if not are_letters([record["gold"] for record in bare]):
        return list(records)
    reason = "its target is the letter of a choice, and the log has no choices"
    return [record if isinstance(record, str) or "choices" in record else reason for record in records]


def written_record(found: ChainItem, record: Record) -> Record:
    """Return the record to write, which reads as ``found`` again."""
    item, about = found.item, dict(found.item.metadata)
    supplied = item.supplied
    assert supplied is not None, "a chain's record has its chain"
    row: Record = {"question": item.question} | _chain(found)
    if supplied.answer is not None:
        row["answer"] = _written(item, supplied.answer, record.get("answer"))
    row["gold"] = _written(item, item.gold, record.get("gold"))
    if item.answer_format == "choice":
        row["choices"] = list(item.choices)
    if item.difficulty is not None:
        whole = item.difficulty.is_integer() and abs(item.difficulty) < 2**53
        row["difficulty"] = int(item.difficulty) if whole else item.difficulty
    if supplied.label is not None:
        row["label"] = _word(supplied.label)
    style = item.hint.style if item.hint else about.get("hint_style")
    named = {"author": supplied.author, "channel": channel_of(found), "setting": item.setting, "hint_style": style}
    row |= {name: value for name, value in named.items() if value is not None}
    if item.hint is not None:
        row["hint"] = _written(item, item.hint.answer, record.get("hint"))
    if item.bottlenecks:
        row["bottlenecks"] = list(item.bottlenecks)
    return row


def _chain(found: ChainItem) -> Record:
    chain = found.chain
    if not chain.texts:
        return {"cot": chain.cot}
    labels = [None if label is None else _word(label) for label in chain.labels] or [None] * len(chain.texts)
    if chain.cot is not None:
        starts = itertools.accumulate(map(len, chain.texts[:-1]), initial=0)
        return {"cot": chain.cot, "steps": [{"start": s, "label": n} for s, n in zip(starts, labels, strict=True)]}
    if not chain.is_labelled:
        return {"steps": list(chain.texts)}
    return {"steps": [{"text": text, "label": name} for text, name in zip(chain.texts, labels, strict=True)]}


def _word(label: bool) -> str:
    return "faithful" if label else "unfaithful"


def _written(item: Item, canonical: str, given_value: Any) -> str:
    """Return an answer in a form that is read as ``canonical``: a label, a word, a number, or the given text."""
    if item.answer_format == "boolean" and canonical in ("true", "false"):
        return item.choices[canonical == "false"]
    if item.answer_format == "text":
        return scalar_text(given_value) or canonical
    if item.answer_format == "number":
        return canonical
    for written in (canonical, f"({canonical})"):
        try:
            if gold_label(written, Choices(item.choices)) == canonical:
                return written
        except ValueError:
            continue
    raise TaskError(f"gold: the letters {canonical} and ({canonical}) can mean several of its choices")


def _reason(message: str, place: str) -> str:
    """Return the part of an error that other records may share."""
    rest = message.removeprefix(place).rpartition("counted from 0): ")[2].lstrip(",: ")  # the latter: check_items
    what, separator, detail = rest.partition(": ")
    rest = detail if separator and what in ("gold", "hint") else rest
    name = "hint" if what == "hint" else "gold"
    if "is not one of the choices" in rest:
        return f"{name} is not one of the choices"
    if " can mean " in rest:
        return f"{name} can mean several of the choices"
    return re.split(r"[;:(]|\. ", rest)[0].strip(" .")
