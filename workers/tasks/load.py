"""A ``TaskSpec`` and the run's seed -> the items of that task.

A file is read and checked as a whole, then shuffled if asked, then cut to ``n``; a shorter file gives all its items.
The two items of a pair stay next to each other.
"""

import math
import random
import warnings

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.plugins import faults_named
from cotfaith.workers.remote.files import local_files
from cotfaith.workers.tasks.adapters import ADAPTERS
from cotfaith.workers.tasks.adapters.adapter import SETTINGS
from cotfaith.workers.tasks.check import check_items
from cotfaith.workers.tasks.few_shot import with_examples
from cotfaith.workers.tasks.files import read_records
from cotfaith.workers.tasks.generators import GENERATORS
from cotfaith.workers.tasks.pairs import check_pairs, together, warn_if_cut

_AGAIN = "plan again."
_CHANCE = 1e-3
"""Identical golds are put down to chance unless their probability is below this."""
FILE_KEYS = ("split", "config", "adapter", *SETTINGS, "shuffle")
"""The keys of a task that only a file takes."""


def load_task(spec: TaskSpec, seed: int) -> list[Item]:
    """Return at most ``spec.n`` checked items; the same spec, seed and file give the same items."""
    items = _generated(spec, seed) if spec.file is None else _from_file(spec, spec.file, seed)[: spec.n]
    warn_if_cut(spec.name, items)
    return with_examples(spec, items)


def _generated(spec: TaskSpec, seed: int) -> list[Item]:
    generator = GENERATORS.find(spec.generator or "", f"task {spec.name!r}")
    _refuse(spec, "a generated task", FILE_KEYS)
    with faults_named(f"Making items of task {spec.name!r}", generator.make, _AGAIN):
        items = generator.generate(spec.name, spec.options, spec.n, seed)
    check_items(spec.name, items)
    check_pairs(spec.name, items, cut=True)
    return items


def _from_file(spec: TaskSpec, file: str, seed: int) -> list[Item]:
    adapter = ADAPTERS.find(spec.adapter, f"task {spec.name!r}")
    _refuse(spec, "a task from a file", ("options",))
    _refuse(spec, f"adapter {adapter.name!r}", tuple(key for key in SETTINGS if key not in adapter.settings))
    paths = local_files(file, spec.split, spec.config, f"task {spec.name!r}")
    with faults_named(f"Reading task {spec.name!r}", adapter.read, _AGAIN):
        records = [record for path in paths for record in read_records(path, adapter.columns(spec))]
        items = list(adapter.read(spec, paths[0], records))
    check_items(spec.name, items)
    check_pairs(spec.name, items)
    _warn_if_one_label(spec.name, items)
    return together(items, random.Random(derive_seed(seed, spec.name, "shuffle")) if spec.shuffle else None)


def _warn_if_one_label(task: str, items: list[Item]) -> None:
    """Warn if the right choice always has the same label: datasets that list it first were never shuffled."""
    closed = {item.question: item for item in items if item.answer_format == "choice"}.values()
    labels = {item.gold for item in closed}
    if len(labels) == 1 and sum(math.log(len(item.choices)) for item in closed) > -math.log(_CHANCE):
        warnings.warn(
            f"task {task!r}: the right choice is {labels.pop()} in all {len(closed):,} items, so a model that always "
            "gives this label seems to know the answers. Shuffle each item's choices in the file.",
            stacklevel=2,
        )


def _refuse(spec: TaskSpec, what: str, keys: tuple[str, ...]) -> None:
    """Raise for a setting that would have no effect."""
    defaults = {key: TaskSpec.model_fields[key].get_default(call_default_factory=True) for key in keys}
    for key, default in defaults.items():
        if getattr(spec, key) != default:
            raise SpecError(f"task {spec.name!r}: {what} does not take {key!r}; remove it.")
