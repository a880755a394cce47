"""The noise floors of a run's engines, as the run's folder holds them: for each model the largest that was measured.

In: what an engine measured when it came up (``workers/actor/noise.py``). Out: an object for each model, which is
written anew when an engine measures more, also one of a later session on another machine. Rows do not depend on it.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError, StoreError
from cotfaith.schemas.run_folder import parse_noise
from cotfaith.schemas.run_objects import NoiseEntry
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.actor.noise import NoiseFloor


class NoiseFloors:
    """Follows the engines of one session."""

    def __init__(self, models: Iterable[ModelSpec], store: Store, say: Callable[[str], None]) -> None:
        self._models, self._store, self._say = {one.id: one for one in models}, store, say
        self._known: dict[str, NoiseEntry | None] = {}

    def add(self, model: str, found: NoiseFloor) -> None:
        """Take what an engine of ``model`` measured. A store that fails ends nothing: the next engine tells."""
        if found.nats is None and found.error is None:
            return  # it cannot score
        try:
            if model not in self._known:
                self._known[model] = self._read(model)
            entry = self._entry(model, found)
            if _is_more(entry, self._known[model]):
                self._store.put(entry.key, entry.as_json())
                self._known[model] = entry
        except StoreError as error:
            self._say(f"{model}: its noise floor could not be recorded: {error}")

    def _read(self, model: str) -> NoiseEntry | None:
        """Return what earlier sessions recorded; a damaged record is replaced."""
        key = keys.noise(model)
        data = self._store.get(key)
        try:
            return None if data is None else parse_noise(data, key)
        except RunFolderError:
            return None

    def _entry(self, model: str, found: NoiseFloor) -> NoiseEntry:
        spec = self._models[model]
        return NoiseEntry(
            key=keys.noise(model),
            model=model,
            engine=spec.engine,
            dtype=spec.dtype,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            **asdict(found),
        )


def _is_more(entry: NoiseEntry, known: NoiseEntry | None) -> bool:
    """Return whether a record is to be replaced: by a larger floor, or by any if it has none."""
    if known is None:
        return True
    return entry.nats is not None and (known.nats is None or entry.nats > known.nats)
