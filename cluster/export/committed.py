"""What of a run can be exported: the shards with commits, and what tells whether one changed since.

In: a run's store. Out: their logs. Knows nothing about formats.
"""

import hashlib
import json

from cotfaith.cluster.storage.batches import check_ranges, ranges
from cotfaith.cluster.storage.ledger import Shard, ShardLog
from cotfaith.cluster.storage.read import read_ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.old_commits import FIRST_PRESENT
from cotfaith.schemas.run_objects import RunRecord


def committed(store: Store, run: RunRecord) -> dict[Shard, ShardLog]:
    """Return the shards with commits, in the order of models, tasks and items.

    Raises:
        SpecError: nothing is committed.
        RunFolderError: an object among the commits is damaged, or not the run's.

    """
    ledger = read_ledger(store, run)
    if run.schema_version >= FIRST_PRESENT:
        check_ranges(ranges(ledger))
    logs = {shard: log for shard, log in sorted(ledger.logs.items()) if log.pieces}
    if not logs:
        raise SpecError("Nothing is committed yet that could be exported. Run the spec first.")
    return logs


def digest_of(log: ShardLog) -> str:
    """Return a digest of a shard's commits, which decide its rows that count."""
    about = [(one.key, one.sha256, [part.sha256 for part in one.parts]) for one in log.commits]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()
