"""Questions as people name them on a command line -> the keys of a spec's task, and what was found, in words.

A generator's name, or a file. A file in a published format is read as that; of another file, the columns are guessed as
the readers' messages offer them. Every guess is said and written down, and the items are read and checked by it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.plan.named_model import slug
from cotfaith.schemas.errors import InputError, SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.remote.files import local_file
from cotfaith.workers.tasks.choice_columns import choice_columns
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.generators import GENERATORS
from cotfaith.workers.tasks.guesses import guessed, listed, written
from cotfaith.workers.tasks.inspect_log import is_inspect_log
from cotfaith.workers.tasks.load import load_task
from cotfaith.workers.tasks.values import Record, columns_of

_FORMATS = ("aqua", "bbh", "bbq", "gsm8k", "strategyqa", "llm_adapters")
"""The adapters of published formats that hold questions; the others hold chains, or need a mapping."""
_ALL = 10**9
_GENERATED = 100
_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".gz", ".eval")


@dataclass(frozen=True)
class NamedData:
    """A task and what was found out about it."""

    keys: dict[str, Any]
    """The task's keys in the spec."""
    said: tuple[str, ...]
    """Lines for the user: the columns that were taken, and the first item as it is read."""


def named_data(text: str) -> NamedData:
    """Return the task of a generator's name, or of a file: a path, s3:// or hf://.

    Raises:
        InputError: there is no such generator or file, or its questions and golds cannot be found or read.

    """
    if text in GENERATORS.names() and not text.lower().endswith(_ENDINGS):
        _refuse_without_options(text)
        keys = {"name": text, "generator": text, "n": _GENERATED}
        return NamedData(keys, (f"Questions: made by the generator {text}.",))
    if not text.lower().endswith(_ENDINGS) and "/" not in text:
        known = ", ".join(GENERATORS.names())
        raise SpecError(f"DATA {text!r}: expected a file ({', '.join(_ENDINGS[:6])}) or a generator: {known}.")
    return _file(text)


def _refuse_without_options(name: str) -> None:
    options = GENERATORS.find(name, "DATA").options.model_fields
    if needed := [key for key, field in options.items() if field.is_required()]:
        raise SpecError(
            f"DATA {name!r}: this generator cannot do without options ({', '.join(needed)}). Write a spec with them."
        )


def _file(text: str) -> NamedData:
    path = local_file(text, "DATA")
    if is_inspect_log(path):
        raise SpecError(f"DATA {text!r}: this log holds chains. Use: cotfaith import {text} --out chains.jsonl")
    name = slug(path.name.removesuffix(".gz").rpartition(".")[0])
    base: dict[str, Any] = {"name": name, "file": text}
    if any(_holds_chain(record) for record in read_records(path)):
        return _chains(base | {"adapter": "chains"})
    published = [(found, items) for found in _FORMATS if (items := _items(base | {"adapter": found}))]
    if len(published) == 1:
        (adapter, items), *_ = published
        keys, how = base | {"adapter": adapter}, f"in the published format of {adapter}"
    else:
        fields = _guessed_fields(text)
        keys = base | {"fields": fields}
        items = load_task(TaskSpec.model_validate(keys | {"n": _ALL}), 0)
        how = "by these columns: " + ", ".join(f"{ours} <- {written(theirs)}" for ours, theirs in fields.items())
    return NamedData(keys | {"n": len(items)}, (f"Questions: {len(items):,} in {text}, {how}.", _first(items)))


def _holds_chain(record: Record) -> bool:
    """Return whether it has a chain under one of our own names, as `cotfaith import` writes them."""
    return isinstance(record.get("cot"), str) or isinstance(record.get("steps"), list)


def _chains(keys: dict[str, Any]) -> NamedData:
    items = load_task(TaskSpec.model_validate(keys | {"n": _ALL}), 0)
    said = f"Recorded chains: {len(items):,} in {keys['file']}. The model reads them, and writes none of its own."
    return NamedData(keys | {"n": len(items)}, (said, _first(items)))


def _items(keys: dict[str, Any]) -> list[Item]:
    """Return the items of a published format; none if the file has another."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load_task(TaskSpec.model_validate(keys | {"n": _ALL}), 0)
    except InputError:
        return []


def _guessed_fields(text: str) -> dict[str, Any]:
    records = read_records(local_file(text, "DATA"))
    names = columns_of(records)
    choices = choice_columns(records, [])
    found: dict[str, Any] = dict(guessed({"question": "question", "gold": "gold"}, names, choices))
    lacking = [ours for ours in ("question", "gold") if ours not in found]
    if lacking:
        raise SpecError(
            f"{text}: which column holds the {' and the '.join(lacking)}? It has {listed(names)}. Write a spec with "
            "`cotfaith init` and map them: fields: {question: COLUMN, gold: COLUMN}."
        )
    return {"question": found["question"]} | ({"choices": choices} if choices else {}) | {"gold": found["gold"]}


def _first(items: Sequence[Item]) -> str:
    one = items[0]
    choices = ", ".join(f"({label}) {text}" for label, text in zip(one.labels, one.choices, strict=True))
    shown = f"; choices {choices}" if one.answer_format == "choice" else ""
    return f"The first: {_short(one.question)}{_short(shown)}; its right answer is {one.gold} ({one.answer_format})."


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:160]}..."
