"""``cotfaith import --paired``: records of an experiment that others ran -> a run's folder.

Nothing is written before all records are read. Texts of the sources are untrusted: they are escaped when shown.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from cotfaith.cluster.imports.paired.answers import how_to_read
from cotfaith.cluster.imports.paired.cells import SourceFile, read_cells
from cotfaith.cluster.imports.paired.folder import check_empty, write_folder
from cotfaith.cluster.imports.paired.mapping import Mapping, check_mapping, read_mapping
from cotfaith.cluster.imports.paired.records import Recorded, read_answers
from cotfaith.cluster.imports.sources import source_files
from cotfaith.cluster.storage.store import check_reachable, open_store
from cotfaith.cluster.terminal import first_lines, plain_text
from cotfaith.cluster.yaml_text import yaml_data
from cotfaith.schemas.errors import SpecError
from cotfaith.workers.judges.reading import QUESTIONS

out = Console(highlight=False)
_MOST_LINES = 12


@dataclass(frozen=True)
class Asked:
    """What the command line says about the mapping."""

    mapping: str | None
    fields: Sequence[str]
    constants: Sequence[str]
    judges: Sequence[str]
    humans: Sequence[str]
    answer_format: str | None
    gold_is: str

    def data(self) -> dict[str, Any]:
        """Return the mapping as data: the file's, with what the options add or replace."""
        data = dict(read_mapping(self.mapping))
        fields = dict(_pair("--field", text, "prediction=answer") for text in self.fields)
        constants = {
            ours: _value(text, theirs)
            for text in self.constants
            for ours, theirs in [_pair("--set", text, "with_chain=true")]
        }
        judges = [_judge("--judge", text) for text in self.judges]
        judges += [_judge("--human", text) | {"human": True} for text in self.humans]
        for name, more in (("fields", fields), ("set", constants)):
            data |= {name: _mapped(data, name) | more} if more else {}
        data |= {"judges": [*(data.get("judges") or []), *judges]} if judges else {}
        data |= {"answer_format": self.answer_format} if self.answer_format else {}
        return data | ({"gold_is": self.gold_is} if self.gold_is != "auto" else {})


def _mapped(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name) or {}
    if not isinstance(found, dict):
        raise SpecError(f"--mapping, {name}: expected ours: theirs, got {type(found).__name__}.")
    return found


def _pair(option: str, text: str, example: str) -> tuple[str, str]:
    ours, separator, theirs = text.partition("=")
    if not separator or not theirs or not ours:
        raise SpecError(f"{option} {text!r}: expected ours=theirs, for example {option} {example}.")
    return ours, theirs


def _value(option: str, text: str) -> Any:
    try:
        return yaml_data(text)
    except ValueError:
        raise SpecError(f"--set {option!r}: the value is not valid YAML. Put it in quotes.") from None


def _judge(option: str, text: str) -> dict[str, Any]:
    who, column = _pair(option, text, "gpt-4:relied=label")
    name, separator, question = who.rpartition(":")
    if not separator or question not in QUESTIONS:
        raise SpecError(
            f"{option} {text!r}: what was asked? Write {option} {name or who}:QUESTION={column}, with one of "
            "present (the chain names the hint), relied (by its own words the answer rests on it), checked (on the "
            "merits)."
        )
    return {"name": name, "question": question, "label": column}


def import_paired(sources: Sequence[str], target: str, asked: Asked) -> None:
    """Read the sources and write the run's folder."""
    mapping = check_mapping(asked.data())
    store = open_store(target)
    check_reachable(store)
    check_empty(store)
    paths, notes = source_files(sources, target)
    cells, files = read_cells(paths, mapping)
    found = read_answers(cells, how_to_read(cells, mapping))
    write_folder(store, found, files, mapping.model_dump(mode="json", exclude_defaults=True))
    lines = [*_about(files), *_counts(found), *(f"Note: {text}" for text in [*notes, *_notes(found, mapping)])]
    out.print(plain_text("\n".join([*lines, *_next(target)])), markup=False, soft_wrap=True)


def _about(files: Sequence[SourceFile]) -> Iterable[str]:
    columns: dict[str, list[SourceFile]] = {}
    for one in files:
        columns.setdefault(one.columns, []).append(one)
    for text, own in columns.items():
        more = f" and {len(own) - 1:,} more" if len(own) > 1 else ""
        yield f"Columns of {own[0].path}{more}: {text}."


def _counts(found: Recorded) -> Iterable[str]:
    answers = found.answers
    chained = sum(one.with_chain for one in answers)
    models = Counter(one.model for one in answers)
    tasks = Counter(one.item.task for one in answers)
    yield (
        f"Took {len(answers):,} answers ({chained:,} with a chain, {len(answers) - chained:,} without) to "
        f"{len(found.items):,} items, of {len(models):,} models on {len(tasks):,} tasks."
    )
    variants = Counter(one.variant for one in answers)
    unparsed = Counter(one.variant for one in answers if one.answer is None)
    lines = [f"  {name}: {n:,} answers, {unparsed[name]:,} unparsed" for name, n in variants.most_common()]
    yield from first_lines(lines, "more variants", _MOST_LINES)


def _notes(found: Recorded, mapping: Mapping) -> Iterable[str]:
    answers = found.answers
    ungraded = sum(one.item.gold is None for one in answers)
    same = sum(one.target is not None and one.target == one.item.gold for one in answers)
    lone = sum(group[0].pair is not None and len(group) == 1 for group in found.items.together())
    grouped = sum(one.item.group is not None for one in answers)
    weighted = sum(found.items[one.item.key].weight is not None for one in answers)
    judged = Counter(label.judge.reader for one in answers for label in one.labels)
    failed = Counter(label.judge.reader for one in answers for label in one.labels if label.value is None)
    chains = sum(one.with_chain for one in answers)
    found_notes = [
        (ungraded, f"{ungraded:,} answers have no gold: they are not graded."),
        (same, f"{same:,} answers have a target that is the gold answer: consistent, not contradicting."),
        (lone, f"{lone:,} pairs have only one side."),
        (grouped, f"{grouped:,} answers are to items of groups. Intervals cluster answers by item, and not by group."),
        (weighted, f"{weighted:,} answers are counts: their intervals assume independent trials."),
        *((n, f"{text}: {n:,}.") for text, n in found.notes.items()),
    ]
    yield from (text for n, text in found_notes if n)
    for reader, n in judged.items():
        yield f"{reader} labels {n:,} of {chains:,} chains; {failed[reader]:,} labels are neither yes nor no."


def _next(target: str) -> Iterable[str]:
    yield f"Wrote {target}. To see what is in it: cotfaith aggregate {target}, cotfaith report {target}."
