"""Repair: find what is damaged, have it done again, say what was done.

In: a run's store and record. Out: the damaged parts, whose items are wanted anew, with what rests on a chain whose text
changed; lines for the user. Nothing that is whole is done again, and nothing is overwritten: rows of a later generation
take the place of damaged ones.
"""

from collections.abc import Iterator, Set

from cotfaith.cluster.fleet.reporter import Reporter
from cotfaith.cluster.storage.ledger import Ledger, ShardLog
from cotfaith.cluster.storage.read import LivePart, live_parts
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.storage.verify import Verification, set_aside, verify
from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import Commit, PieceName, RunRecord
from cotfaith.schemas.variants import PLAIN


def find_damage(store: Store, run: RunRecord, reporter: Reporter) -> Verification:
    """Check the whole run, say what is damaged, and move damaged commits out of the way.

    Raises:
        RunConflictError: an older cotfaith made the run; rows of this one would not be comparable.

    """
    if run.schema_version < FIRST_PRESENT:
        raise RunConflictError(
            "This run is of an older cotfaith and cannot be repaired. Run it anew in another folder."
        )
    found = verify(store, run)
    for one in found.damaged:
        if one.counts:
            reporter.warn(f"Damaged: {one.problem}")
    problems = dict(found.commits)
    for key, aside in set_aside(store, found):
        reporter.warn(f"Damaged: {problems[key]} It was moved to {store.place(aside)}.")
    if found.whole:
        reporter.say(f"Nothing is damaged: all {found.parts} parts are as they were committed.")
    return found


def say_what_was_done(before: Ledger, after: Ledger, damaged: Set[str], reporter: Reporter) -> None:
    """Say which items were done again, how many chains have another text now, and which damaged parts still count."""
    lines = [line for shard, log in after.logs.items() for line in _lines(shard.id, before.log(shard), log)]
    for line in lines or ["Nothing was done again."]:
        reporter.say(line)
    for log in after.logs.values():
        for named in live_parts(log):
            if named.part.key in damaged:
                reporter.warn(f"Still damaged: {named.part.key}. {_what_it_takes(named)}")


def _what_it_takes(named: LivePart) -> str:
    pieces = [piece for piece, items in named.items.items() if items]
    what = ", ".join(dict.fromkeys(f"{piece.probe or 'chains'} of {_series(piece)}" for piece in pieces))
    return (
        f"It holds {what} ({named.commit.model} / {named.commit.task}), which the spec does not ask for. Repair the "
        "run with a spec that does."
    )


def _series(piece: PieceName) -> str:
    return piece.strategy if piece.variant == PLAIN else f"{piece.strategy} under {piece.variant}"


def _lines(shard: str, before: ShardLog, after: ShardLog) -> Iterator[str]:
    known = {commit.key: commit.attempt for commit in before.commits}
    for commit in after.commits:
        if known.get(commit.key) != commit.attempt:
            yield f"Done again in {shard}: {_what(commit, before)} of {_items(commit)}."


def _what(commit: Commit, before: ShardLog) -> str:
    pieces = [piece.name for piece in commit.pieces]
    if pieces[0].probe is not None:
        return ", ".join(dict.fromkeys(piece.probe for piece in pieces if piece.probe is not None))
    changed = sum(_changed(commit, piece, before) for piece in pieces)
    return f"chains ({changed} with another text than before)"


def _changed(commit: Commit, piece: PieceName, before: ShardLog) -> int:
    """Return how many chains of the piece differ from those before; chains that were not there do not count."""
    new = next(one.hashes for one in commit.texts if (one.strategy, one.variant) == piece[:2])
    old = before.live.get(piece, {})
    pairs = [(old[item].texts(piece), texts) for item, texts in zip(commit.items, new, strict=True) if item in old]
    return sum(a != b for had, has in pairs for a, b in zip(had, has, strict=False))


def _items(commit: Commit) -> str:
    first = ", ".join(commit.items[:3])
    return f"{len(commit.items)} items ({first}{', ...' if len(commit.items) > 3 else ''})"
