"""What an export to a warehouse holds of one run: which files, with which shards' rows.

In: the store that is exported to. Out: a typed ``Manifest``, or ``SpecError`` if the object is something else. It names
files that are whole, and no others. Knows nothing about Parquet.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, ValidationError

from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import RunConflictError, SpecError
from cotfaith.schemas.run_objects import Digest, RunObject, Text
from cotfaith.schemas.tables import SCHEMA_VERSION


class WrittenFile(RunObject):
    """One Parquet file."""

    key: Text
    """Relative to the export's folder."""
    rows: NonNegativeInt
    bytes: NonNegativeInt
    sha256: Digest


class Group(RunObject):
    """Some shards, whose rows are in one file for each table."""

    number: NonNegativeInt
    """The files' name."""
    shards: dict[Text, Digest]
    """Shard -> a digest of its commits."""
    commits: NonNegativeInt
    """How many these are."""
    files: dict[Text, WrittenFile]
    """Table -> its file, which may have no rows."""

    @property
    def largest(self) -> int:
        """The bytes of its largest file."""
        return max((one.bytes for one in self.files.values()), default=0)


class Manifest(RunObject):
    """All that is exported of a run."""

    format: Literal[1] = 1
    run_id: Text
    schema_version: PositiveInt = SCHEMA_VERSION
    """The version of the tables' columns, the same in all files."""
    complete: bool
    """False: an export is at work, or was cut off. The files that are named are whole."""
    groups: list[Group]
    made: dict[Text, WrittenFile]
    """Tables that commands make of the rows, such as estimates."""
    written_by: Text
    """A random id of the export."""

    @property
    def files(self) -> list[tuple[str, WrittenFile]]:
        """Every file with its table."""
        return [*(pair for one in self.groups for pair in one.files.items()), *self.made.items()]

    def rows(self, table: str) -> int:
        """Return the table's exported rows."""
        return sum(one.rows for name, one in self.files if name == table)


def manifest_key(run_id: str) -> str:
    """Return where the manifest of a run is; engines leave out folders that begin with an underscore."""
    return f"_manifests/{run_id}.json"


class ManifestFile:
    """A run's manifest in an export's folder, replaced only by who read it last."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id = store, run_id
        self._key = manifest_key(run_id)
        self._id = uuid.uuid4().hex
        found = store.get_tagged(self._key)
        self._tag = None if found is None else found[1]
        self.found = None if found is None else self._parsed(found[0])
        """What was there at the start; None: nothing."""

    def write(self, groups: Sequence[Group], made: Mapping[str, WrittenFile], complete: bool) -> Manifest:
        """Replace the manifest.

        Raises:
            RunConflictError: another export wrote it meanwhile; it is withdrawn, so that the next one begins anew.

        """
        content = Manifest(
            run_id=self._run_id,
            complete=complete,
            groups=sorted(groups, key=lambda one: one.number),
            made=dict(made),
            written_by=self._id,
        )
        data = json.dumps(content.model_dump(), indent=1).encode()
        if self._tag is None:
            ours = self._store.put_if_absent(self._key, data)
        else:
            ours = self._store.put_if_unchanged(self._key, data, self._tag)
        found = self._store.get_tagged(self._key)
        if not ours or found is None or found[0] != data:
            raise self._withdrawn()
        self._tag = found[1]
        return content

    def check(self) -> None:
        """Raise ``RunConflictError`` if another export wrote the manifest since; it is withdrawn then."""
        found = self._store.get_tagged(self._key)
        if found is None or found[1] != self._tag:
            raise self._withdrawn()

    def _withdrawn(self) -> RunConflictError:
        self._store.delete(self._key)
        return RunConflictError(
            f"{self._store.place(self._key)}: another export of this run worked here at the same time. The "
            "manifest is withdrawn. Wait until the other has ended, then export again: all files are then "
            "written anew."
        )

    def _parsed(self, data: bytes) -> Manifest:
        place = self._store.place(self._key)
        try:
            found = Manifest.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise SpecError(
                f"{place}: this is no manifest that this cotfaith reads ({where}: {first['msg']}). Delete it and "
                "export again: all files of the run are then written anew."
            ) from None
        if found.schema_version > SCHEMA_VERSION:
            raise SpecError(
                f"{place}: a newer cotfaith exported this run here (version {found.schema_version} of the columns; "
                f"this one writes {SCHEMA_VERSION}). Export with that one, or name another folder."
            )
        if found.run_id != self._run_id:
            raise SpecError(f"{place} is of the run {found.run_id!r}, expected {self._run_id!r}. Delete it.")
        return found
