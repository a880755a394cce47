"""Imported chains: one record per chain, in the columns below, or one row per label, as in BonaFide's
published files (arXiv 2605.25052; ``bonafide_rows.py`` merges those). The run probes these chains and samples none.

| column | |
| --- | --- |
| question, gold | required; the question is a text, or one message of a user |
| cot or steps | the chain: a text, or a list of texts, of {text, label}, or of {start, label} with places in ``cot`` |
| answer | the chain's own answer, to compare with the answer that the probed model draws from the chain |
| choices | as in other tasks (``choices.py``); ``gold``, ``answer`` and ``hint`` are then labels or texts of them |
| label | faithful / unfaithful (or true / false, 1 / 0); empty: unknown. Labels need ``answer`` |
| setting, hint, hint_style, bottlenecks | how chains without a label can be labelled (``workers/labels/chains.py``) |
| id, difficulty, author | as in other tasks; author: who wrote the chain |
| channel | what the chain's text is: reasoning, body, summary; empty: not told apart |

Without choices the gold decides the format: boolean (true, yes, ...), a number, or text. A recorded answer that cannot
be read in that format counts as missing and is reported. A step's label uses the same words as ``label``. There are two
adapters: ``chains`` takes all files, ``labelled_chains`` needs labels, or settings to label by.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.tasks.adapters.adapter import Adapter
from cotfaith.workers.tasks.adapters.bonafide_rows import is_bonafide, merge_rows
from cotfaith.workers.tasks.adapters.chain_items import chain_item, file_facts
from cotfaith.workers.tasks.ids import free_id, item_id
from cotfaith.workers.tasks.open_golds import mapping_to_write, needs_choices
from cotfaith.workers.tasks.values import Record, field_of, given

READ = ("question", "gold", "cot", "steps", "answer", "id")


def labelled_chains(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one item for each record, with its chain and labels."""
    if is_bonafide(records[0]):
        records = merge_rows(path, records)
    for index, record in enumerate(records):
        field_of(record, "answer", path, index)
    items = chains(spec, path, records)
    if not any(_can_be_labelled(item) for item in items):
        raise TaskError(f"{path}: no record has a label, or a setting to label it by; fill the column 'label'.")
    return items


def _can_be_labelled(item: Item) -> bool:
    supplied = item.supplied
    return item.setting is not None or (
        supplied is not None and (supplied.label is not None or bool(supplied.step_labels))
    )


def chains(spec: TaskSpec, path: Path, records: list[Record]) -> list[Item]:
    """Return one item for each record, with its chain; warn about what could not be read."""
    if is_bonafide(records[0]):
        records = merge_rows(path, records)
    elif spec.answer_format is None:
        check_open_golds(path, records, {})
    facts = file_facts(spec, path, records)
    found = [chain_item(spec, path, index, record, facts) for index, record in enumerate(records)]
    for remark, count in Counter(remark for one in found for remark in one.remarks).items():
        warnings.warn(f"{path}: {remark}: {count:,} of {len(found):,} records.", stacklevel=2)
    return _by_author(spec, path, _numbered(spec.name, path, records, [one.item for one in found]))


def _by_author(spec: TaskSpec, path: Path, items: list[Item]) -> list[Item]:
    """Return the items whose chain has the task's author; all of them if it names none."""
    authors = [item.supplied.author if item.supplied is not None else None for item in items]
    if spec.author is None:
        return items
    kept = [item for item, author in zip(items, authors, strict=True) if author == spec.author]
    if not kept:
        known = Counter(author for author in authors if author is not None)
        raise TaskError(f"{path}, task {spec.name!r}: {unknown('author', spec.author, known)}")
    return kept


def _numbered(name: str, path: Path, records: Sequence[Record], items: list[Item]) -> list[Item]:
    """Give each item without an id a unique one."""
    taken = {item.id for item, record in zip(items, records, strict=True) if given(record, "id", path) is not None}
    return [
        item if given(record, "id", path) is not None else replace(item, id=free_id(item_id(name, index), taken))
        for index, (item, record) in enumerate(zip(items, records, strict=True))
    ]


def check_open_golds(path: Path, records: Sequence[Record], fields: Mapping[str, str]) -> None:
    """Raise ``TaskError`` if the golds refer to choices and none are mapped; ``fields``: our columns -> the file's."""
    gold, choices = fields.get("gold", "gold"), fields.get("choices", "choices")
    known = [record for record in records if given(record, gold, path) is not None]
    golds, read = [record[gold] for record in known], [fields.get(name, name) for name in READ]
    if "choices" in fields or any(isinstance(given(record, choices, path), str | list | dict) for record in records):
        return
    if needs_choices(known, golds, read):
        raise TaskError(
            f"{path}: all golds (first: {golds[0]!r}) refer to choices, but there are no choices. "
            f"{mapping_to_write(records, read, 'cotfaith import FILE --field choices={}')}"
        )


def _columns(spec: TaskSpec) -> tuple[str, ...]:
    return ("question", "gold")


_SETTINGS = frozenset({"answer_format", "gold_is", "author"})
ADAPTER = (
    Adapter("chains", "Chains from elsewhere: the run probes them and samples none.", chains, _SETTINGS, _columns),
    Adapter(
        "labelled_chains",
        "Chains from elsewhere, with labels to judge metrics by.",
        labelled_chains,
        _SETTINGS,
        _columns,
    ),
)
