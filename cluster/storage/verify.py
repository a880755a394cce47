"""A run's folder, checked object by object: every part against its commit, and what no commit names.

In: a store and its run.json. Out: a ``Verification``. Changes nothing; ``set_aside`` moves damaged commits away, and
``delete_orphans`` deletes what attempts left behind that committed nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cotfaith.cluster.storage.ledger import Ledger, ShardLog, ledger_of
from cotfaith.cluster.storage.parts import checked_part
from cotfaith.cluster.storage.read import commits_found, live_items
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFolderError
from cotfaith.schemas.run_objects import Commit, Part, RunRecord


@dataclass(frozen=True)
class Damage:
    """A part that is not what was committed."""

    part: str
    """Its key."""
    commit: str
    problem: str
    counts: bool
    """Whether rows of it count; False: later commits have replaced all of them, and nothing reads it."""


@dataclass(frozen=True)
class Verification:
    """What is wrong with a run's objects."""

    ledger: Ledger
    """Its commits, without the damaged ones."""
    parts: int
    bytes: int
    """The sizes of all parts together, as committed."""
    damaged: tuple[Damage, ...]
    commits: tuple[tuple[str, str], ...]
    """Key and problem of each object among the commits that is not one of this run."""
    orphans: tuple[str, ...]
    """The keys of parts that no commit names."""

    @property
    def lost(self) -> frozenset[str]:
        """The keys of damaged parts with rows that count."""
        return frozenset(one.part for one in self.damaged if one.counts)

    @property
    def whole(self) -> bool:
        """Whether all that counts is as it was committed."""
        return not self.lost and not self.commits


def verify(store: Store, run: RunRecord) -> Verification:
    """Check every committed part of ``run`` (run.json); each is read once."""
    found, bad = [], []
    for key, commit in commits_found(store, run):
        if isinstance(commit, Commit):
            found.append(commit)
        else:
            bad.append((key, str(commit)))
    ledger = ledger_of(found)
    named = [(part, commit, log) for log in ledger.logs.values() for commit in log.commits for part in commit.parts]
    read = zip(named, store.get_many([part.key for part, _, _ in named]), strict=True)
    checked = (_damage(run, data, *one) for one, data in read)
    damaged = tuple(one for one in checked if one is not None)
    known = {part.key for part, _, _ in named}
    orphans = tuple(key for key in store.list(keys.PARTS) if key not in known)
    return Verification(ledger, len(named), sum(part.bytes for part, _, _ in named), damaged, tuple(bad), orphans)


def _damage(run: RunRecord, data: bytes | None, part: Part, commit: Commit, log: ShardLog) -> Damage | None:
    try:
        checked_part(data, part, commit, run.run_id)
    except RunFolderError as error:
        return Damage(part.key, commit.key, str(error), any(live_items(commit, log).values()))
    return None


def set_aside(store: Store, found: Verification) -> Iterator[tuple[str, str]]:
    """Move each damaged commit out of the commits, so that its work counts as missing; yield its old and new key."""
    for key, _ in found.commits:
        aside = keys.ASIDE + key
        if (data := store.get(key)) is not None:
            store.put(aside, data)
            store.delete(key)
            yield key, aside


def delete_orphans(store: Store, found: Verification) -> int:
    """Delete the parts that no commit names; return their number. Nothing else may work on the run.

    Raises:
        RunFolderError: a commit is damaged, and may name some of them.

    """
    if found.commits:
        raise RunFolderError(
            f"{found.commits[0][0]}: this commit is damaged, so it cannot be told which parts it names. Nothing was "
            "deleted. First repair the run: cotfaith run SPEC --repair."
        )
    for key in found.orphans:
        store.delete(key)
    return len(found.orphans)
