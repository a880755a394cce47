"""A run's facts, as the report's first lines: when, which models and tasks, how its chains came about.

In: run.json, noise floors, ITEMS and CHAINS rows, and OBSERVATIONS rows or their counts with ``n_tokens``. Out: names
and texts.
Settings of sampling are not stated as those of chains that the run did not sample.
"""

from collections.abc import Sequence

import polars as pl

from cotfaith.cluster.report.depths import depths_in_words
from cotfaith.cluster.stats.metrics.lib.groups import NOT_TOLD
from cotfaith.schemas.run_objects import ImportedRecords, ModelEntry, NoiseEntry, RunRecord, TaskEntry

MECHANISMS = {
    "prefill": "the answer was opened (prefill)",
    "empty_thinking": "the thought was left empty (empty_thinking)",
    "score": "the choices were scored, nothing was written (score)",
    "instruction": "only by instruction, after which a model may still reason (instruction)",
}
"""How a model was kept from a chain, in words."""
_CONTINUES = ("temperature", "top_p", "max_tokens")
"""The settings of sampling by which a probe lets the model continue a chain."""


def run_facts(
    run: RunRecord, items: pl.DataFrame, observations: pl.DataFrame, noise: Sequence[NoiseEntry] = ()
) -> list[tuple[str, str]]:
    """Return (name, text) of each fact that is known; ``noise``: what the models' engines measured."""
    if run.imported is not None:
        return _imported(run, run.imported)
    spec = run.spec
    facts = [
        ("Created", run.created),
        ("Models", ", ".join(_model(model) for model in spec.models)),
        ("Tasks", ", ".join(_task(task) for task in spec.tasks)),
        ("Probes", ", ".join(probe.name for probe in spec.probes)),
        *_chains(run, items, observations),
        ("Noise floor of scores", "; ".join(f"{one.model}: {one.text}" for one in noise)),
        ("Serial depth", depths_in_words(run)),
        ("Seed", str(spec.seed)),
        ("Versions", ", ".join(f"{name} {value}" for name, value in _versions(run).items())),
    ]
    return [(name, value) for name, value in facts if value]


def told_apart(chains: pl.DataFrame, observations: pl.DataFrame) -> list[tuple[str, str]]:
    """Return what the chains' texts are, and how answers without a chain were obtained, as far as rows say.

    ``chains``: with ``channel``, null or "" if not told apart.
    """
    named = chains.select(pl.col("channel").fill_null(NOT_TOLD)).group_by("channel").len()
    counts = dict(named.sort("len", "channel", descending=[True, False]).iter_rows())
    texts = ", ".join(f"{name or 'not told apart'} ({count:,})" for name, count in counts.items())
    facts = [
        ("Chains' texts", texts if counts.keys() - {NOT_TOLD} else ""),
        ("Answers without a chain", _ways(observations)),
    ]
    return [(name, value) for name, value in facts if value]


def _ways(observations: pl.DataFrame) -> str:
    """Return the mechanisms with their models, and where figures rest on several."""
    known = observations.filter(pl.col("no_cot_mechanism").is_not_null())
    ways = known.group_by("no_cot_mechanism").agg(pl.col("model").unique().sort()).sort("no_cot_mechanism")
    said = [f"{MECHANISMS.get(way, way)}: {', '.join(models)}" for way, models in ways.iter_rows()]
    cells = known.group_by("model", "task").agg(pl.col("no_cot_mechanism").n_unique().alias("n")).sort("model", "task")
    mixed = [f"{model} on {task}" for model, task, n in cells.iter_rows() if n > 1]
    return "; ".join(said + [f"figures rest on several of these: {', '.join(mixed)}"] * bool(mixed))


def _imported(run: RunRecord, imported: ImportedRecords) -> list[tuple[str, str]]:
    """Return the facts of a run whose rows are records of an experiment that others ran."""
    files = ", ".join(f"{one.file} ({one.records:,} records)" for one in imported.files)
    return [
        ("Imported", f"{run.created}, by cotfaith {run.cotfaith_version}"),
        ("Records", f"of an experiment that others ran; no model of this run answered: {files}"),
        ("Models", ", ".join(model.id for model in run.spec.models)),
        ("Tasks", ", ".join(f"{task.name} ({task.n:,} items)" for task in run.spec.tasks)),
    ]


def _model(model: ModelEntry) -> str:
    engine = [text for text in (model.engine, model.dtype) if text]
    return f"{model.id} ({', '.join(engine)})" if engine else model.id


def _task(task: TaskEntry) -> str:
    about = [f"up to {'?' if task.n is None else task.n} items"]
    about += [f"chains by {task.author}"] if task.author is not None else []
    about += [f"answered by {' and '.join(task.models)}"] if task.models is not None else []
    return f"{task.name} ({'; '.join(about)})"


def _chains(run: RunRecord, items: pl.DataFrame, observations: pl.DataFrame) -> list[tuple[str, str]]:
    """Return where the chains come from, if some are imported, and the settings of what was sampled."""
    came = pl.col("supplied_steps").is_not_null()
    imported = items.filter(came).unique(["task", "item_id"])
    sampling = run.spec.sampling
    if imported.is_empty():
        return [("Sampling", _settings(sampling))]
    counts = imported.group_by("task").len().sort("task").iter_rows()
    origin = [("Chains", "imported, not sampled: " + ", ".join(f"{task} ({count:,})" for task, count in counts))]
    if len(items.filter(~came)):
        return [*origin, ("Sampling of the others", _settings(sampling))]
    if observations["n_tokens"].is_null().all():
        return origin
    continued = {name: value for name, value in sampling.items() if name in _CONTINUES}
    return [*origin, ("Sampling of continuations", _settings(continued))]


def _settings(sampling: dict[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sampling.items())


def _versions(run: RunRecord) -> dict[str, str]:
    own = {"cotfaith": run.cotfaith_version} if run.cotfaith_version else {}
    return own | run.versions
