"""A run's identity: the parts of a spec that its results depend on, and where another spec contradicts them.

In: a spec whose names are resolved, and fingerprints of weights and chat templates. Out: an ``Identity``. A run
may grow by models, tasks, strategies, interventions and probes. What it has may not change: another seed, sampling,
prompt, editor, weights or item would mix two experiments in one table.
"""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import Identity, Settings
from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.remote.address import is_address
from cotfaith.workers.remote.files import local_file
from cotfaith.workers.resolved import Resolved, ResolvedProbe
from cotfaith.workers.roles.role import Helper
from cotfaith.workers.roles.table import HELPERS
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.tasks.few_shot import examples_digest

_LONGEST_PATH = 1000
_HELPED = tuple(role.plural for role in HELPERS.values())
GROWS = ("models", "tasks", "strategies", "probes", *_HELPED, "chat_templates", "interventions")
"""The fields of an identity that a later spec may add to."""


def identity(
    resolved: Resolved,
    weights: Mapping[str, str],
    templates: Mapping[str, str] | None = None,
    items: Mapping[str, Sequence[Item]] | None = None,
) -> Identity:
    """Return what results depend on.

    ``weights`` maps model ids to fingerprints, ``templates`` to hashes of what their chat templates write, ``items``
    tasks to their items, for what interventions make of the first. Items themselves and ``sampling.max_tokens`` are
    recorded apart (``growth.py``), because a run may grow in them.
    """
    spec = resolved.spec
    found = Identity(
        seed=spec.seed,
        sampling=spec.sampling.model_dump(mode="json", exclude={"max_tokens"}),
        prompts=spec.prompts.model_dump(mode="json", exclude={"date"}),  # run.json holds the date separately
        steps=spec.steps.model_dump(mode="json"),
        strategies={name: STRATEGIES[name].prompt_hash for name in spec.strategies},
        models={name: model_identity(model, weights[name]) for name, model in resolved.models.items()},
        tasks={task.name: _task_identity(task) for task in spec.tasks},
        probes={probe.name: _probe_identity(probe) for probe in resolved.probes},
        chat_templates=dict(templates or {}),
    )
    changed: dict[str, Any] = {role.plural: _helped(resolved, role) for role in HELPERS.values()}
    if resolved.interventions:
        changed["interventions"] = _interventions(resolved, items or {})
    return found.model_copy(update=changed)


def _task_identity(task: TaskSpec) -> Settings:
    about: Settings = {"answer_by": task.answer_by}
    few = task.few_shot
    return about if few is None else about | {"few_shot": {"k": few.k, "examples": examples_digest(task)}}


def _interventions(resolved: Resolved, items: Mapping[str, Sequence[Item]]) -> dict[str, Settings]:
    """Return "INTERVENTION of TASK" -> its options, with the files that they name, and what its first item becomes.

    The items after it may show other parts of a file, so the whole file counts.
    """
    found: dict[str, Settings] = {}
    for one in resolved.interventions:
        options = one.options.model_dump(mode="json")
        about = {"options": options, "files": {name: _file_digest(name) for name in sorted(_files_in(options))}}
        for task, own in items.items():
            found[f"{one.kind.name} of {task}"] = about | {"texts": one.digest(resolved.spec.seed, task, own[0])}
    return found


def _files_in(options: Any) -> set[str]:
    """Return the texts in an intervention's options that name a file."""
    if isinstance(options, Mapping | list):
        values = options.values() if isinstance(options, Mapping) else options
        return {name for value in values for name in _files_in(value)}
    if not isinstance(options, str) or not options or len(options) > _LONGEST_PATH or "\n" in options:
        return set()
    return {options} if is_address(options) or Path(options).is_file() else set()


def _file_digest(name: str) -> str:
    return hashlib.sha256(local_file(name, "interventions").read_bytes()).hexdigest()


def _probe_identity(probe: ResolvedProbe) -> Settings:
    """Return the settings, prompts by their hashes, without readers: each reader's part is committed separately."""
    own = probe.options.model_dump(mode="json", exclude={"readers"} if probe.kind.readers else None)
    return own | {"prompts": probe.prompt_hashes} if probe.kind.prompts else own


def _helped(resolved: Resolved, role: Helper) -> dict[str, Settings]:
    """Return "PROBE of SUBJECT" -> who helps and how, if results include a helper's work, such as edits."""
    probes = [probe for probe in resolved.probes if role.name in probe.kind.needs]
    pairs = itertools.product(probes, resolved.subjects)
    return {f"{probe.name} of {subject.spec.id}": role.identity(resolved.spec, subject) for probe, subject in pairs}


def model_identity(model: ResolvedModel, weights: str) -> Settings:
    """Return what the model's results depend on; ``weights`` is their fingerprint."""
    kept = {k: v for k, v in model.spec.options.items() if k not in model.kind.execution_options}
    fields = model.spec.model_dump(mode="json", include={"engine", "dtype", "chat", "thinking", "system"})
    return fields | {"weights": weights, "options": kept}


def check_same_run(old: Identity, new: Identity, folder: str, also: Sequence[str] = ()) -> None:
    """Raise ``RunConflictError`` if ``new`` contradicts ``old``: a line for each place, then the lines of ``also``."""
    had, has = old.data(), new.data()
    now = {name: {} for name in GROWS} | has
    changed = [line for name in had for line in _changes(name, had[name], now.get(name), name in GROWS)] + list(also)
    if changed:
        raise RunConflictError(
            f"{folder} holds a run that this spec contradicts:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nUse another output.path, or set the spec to the values that the run has."
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
