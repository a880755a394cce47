"""Finished validations -> one table of labelled chains, and one of labelled steps, with the shapes of their answers.

In: stores of runs. Out: ``Collected``. No model and task is in two runs, since their chains would share their keys.

The columns of both tables: ``KEY``; family, what the task is made by (``family_of``);
is_real, false for an organism; cluster, the question; setting; kind, what is wrong with an unfaithful chain ("" for a
faithful one); n_steps; faithful, the label; and what ``shapes.py`` has. Steps have ``step``, from 1, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cotfaith.cluster.stats.metrics import unknown_probes
from cotfaith.cluster.stats.metrics.lib.shapes import shapes
from cotfaith.cluster.storage.batches import Tables, batches, each_batch, occurring
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.validation.labelled import Labelled, organism_of
from cotfaith.cluster.validation.part import PART_ROWS, Asked, Everything, Part, everything
from cotfaith.cluster.validation.usable import KEY
from cotfaith.schemas.errors import InputError
from cotfaith.schemas.run_objects import Commit, RunRecord, TaskEntry

_LABEL = {
    **dict.fromkeys(KEY, pl.String()),
    "chain_index": pl.Int32(),
    "step": pl.Int32(),
    "cluster": pl.String(),
    "setting": pl.String(),
    "kind": pl.String(),
    "n_steps": pl.Int32(),
    "faithful": pl.Boolean(),
}


@dataclass(frozen=True)
class Collected:
    """What was read of all runs."""

    every: Everything
    chains: pl.DataFrame
    steps: pl.DataFrame
    sources: Mapping[str, str]
    """Model -> its source."""
    commits: Sequence[Commit]


@dataclass(frozen=True)
class _Read:
    """What is kept of some items."""

    part: Part
    chains: pl.DataFrame
    steps: pl.DataFrame


def collect(stores: Sequence[Store], metrics: frozenset[str]) -> Collected:
    """Read labels, shapes and the scores of ``metrics`` (titles) of all runs.

    Raises:
        InputError: a folder holds no run, or two runs hold chains of the same model and task.

    """
    read: list[_Read] = []
    sources: dict[str, str] = {}
    families: dict[tuple[str, str], str] = {}
    commits: list[Commit] = []
    for store in stores:
        run = _run(store)
        own = {(model.id, task.name): family_of(task) for model in run.spec.models for task in run.spec.tasks}
        if twice := sorted(own.keys() & families.keys()):
            raise InputError(
                f"{store.place('')} and a run before it both hold {twice[0][0]} on {twice[0][1]}. Give each run once."
            )
        families |= own
        ledger = read_ledger(store, run)
        found, whole = batches(ledger, run, PART_ROWS), occurring(ledger)
        unknown_probes(whole)  # loads what packages offer
        asked = Asked.of_run(run, metrics, whole if len(found) > 1 else None)
        sources |= asked.sources
        read += each_batch(store, run, found, _reading(asked))
        commits += asked.commits(ledger.commits())
    every = everything([one.part for one in read], metrics)
    facts = pl.DataFrame(
        [(*key, family, organism_of(sources[key[0]]) is None) for key, family in families.items()],
        schema={"model": pl.String, "task": pl.String, "family": pl.String, "is_real": pl.Boolean},
        orient="row",
    )
    chains = _joined(_of_chains(every.labelled, sources), [one.chains for one in read], KEY, facts)
    steps = _joined(_of_steps(every.labelled, sources), [one.steps for one in read], [*KEY, "step"], facts)
    return Collected(every, chains.drop("step"), steps, sources, commits)


def family_of(task: TaskEntry) -> str:
    """Return what is left out together with a task: its generator, or the start of its file's name (FAMILY.*.jsonl)."""
    return task.generator or Path(task.file or task.name).name.split(".")[0]


def _run(store: Store) -> RunRecord:
    run = load_run(store)
    if run is None:
        raise InputError(f"{store.place('')} holds no run. Give folders that `cotfaith validate` has written.")
    return run


def _reading(asked: Asked) -> Callable[[Tables], _Read]:
    def read(tables: Tables) -> _Read:
        rows = asked.rows(tables)
        return _Read(asked.part(tables), *shapes(rows))

    return read


def _joined(
    labels: pl.DataFrame, shapes: Sequence[pl.DataFrame], key: Sequence[str], facts: pl.DataFrame
) -> pl.DataFrame:
    """Return the labels with their shapes; a label without shapes has null in all of them."""
    texts = [name for name in key if _LABEL[name] == pl.String()]
    found = pl.concat([one.drop("channel").with_columns(pl.col(texts).cast(pl.String)) for one in shapes])
    typed = found.with_columns(pl.col(name).cast(_LABEL[name]) for name in key)
    known = labels.join(typed, on=list(key), how="left", maintain_order="left")
    return known.join(facts, on=["model", "task"], how="left", maintain_order="left")


def _of_chains(labelled: Sequence[Labelled], sources: Mapping[str, str]) -> pl.DataFrame:
    rows = [_label(one, sources, None, one.faithful) for one in labelled if one.faithful is not None]
    return pl.DataFrame(rows, schema=_LABEL, orient="row")


def _of_steps(labelled: Sequence[Labelled], sources: Mapping[str, str]) -> pl.DataFrame:
    rows = [
        _label(one, sources, step, label)
        for one in labelled
        for step, label in enumerate(one.steps, start=1)
        if label is not None
    ]
    return pl.DataFrame(rows, schema=_LABEL, orient="row")


def _label(one: Labelled, sources: Mapping[str, str], step: int | None, faithful: bool) -> tuple[object, ...]:
    kind = "" if faithful else kind_of(one, sources.get(one.usable.model, ""))
    return *one.usable.key, step, one.cluster, one.setting, kind, one.usable.n_steps, faithful


def kind_of(one: Labelled, source: str) -> str:
    """Return what is wrong with an unfaithful chain, in words: what a score may fail to see."""
    organism = organism_of(source)
    if one.setting == "organism" and organism is not None:
        if organism.startswith("encoder"):
            return "a code (encoder)"
        return "a silent hint (sycophant)" if organism.startswith("sycophant") else "decoration (organism)"
    how = one.reason.partition(":")[0].lower()
    what = how if how in ("omission", "commission") else "labelled in its file"
    return f"a hint: {what}" if one.setting == "diversionary" else what
