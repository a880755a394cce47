"""What is made of a run's committed rows: estimates, comparisons, verdicts and report. Older ones are overwritten."""

from dataclasses import dataclass

import pyarrow as pa

from cotfaith.cluster.report.endings import found_endings
from cotfaith.cluster.report.first import First
from cotfaith.cluster.report.page import first_of, render_shown
from cotfaith.cluster.report.shown import joined, read_side_by_side, read_transcripts, shown
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.stats.estimates import read_estimates
from cotfaith.cluster.stats.summed import summed
from cotfaith.cluster.stats.written import write_made
from cotfaith.cluster.storage.batches import Each, each_batch
from cotfaith.cluster.storage.completeness import completeness
from cotfaith.cluster.storage.read import load_checks, read_ledger, read_noise
from cotfaith.cluster.storage.store import Store
from cotfaith.cluster.verdicts.decide import decide
from cotfaith.cluster.verdicts.policy import Policy, load_policy
from cotfaith.schemas import keys
from cotfaith.schemas.run_objects import RunRecord


@dataclass(frozen=True)
class Results:
    """What was made of a run."""

    estimates: pa.Table
    first: First
    """The report's first screen."""


def write_results(store: Store, run: RunRecord, each: Each = each_batch, policy: Policy | None = None) -> pa.Table:
    """Write everything, the verdicts by the default policy if none is given; return the estimates."""
    return make_results(store, run, each, policy).estimates


def make_results(store: Store, run: RunRecord, each: Each = each_batch, policy: Policy | None = None) -> Results:
    """Write everything as ``write_results`` does; return also the report's first screen.

    The report shows the checks of a validation, if there are any. Records of others' experiments have no verdicts.
    """
    policy = load_policy(None) if policy is None else policy
    ledger = read_ledger(store, run)
    made = summed(store, run, each, shown, ledger)
    written = write_made(store, run, made)
    everything, complete = joined(made.seen), completeness(store, run, ledger)
    found = [] if run.imported is not None else decide(store, run, written, complete, policy)
    estimates = read_estimates(written.estimates)
    endings = found_endings(run, ledger, estimates)
    first = first_of(run, everything, found, policy, estimates, complete, endings)
    html = render_shown(
        run,
        everything,
        read_transcripts(store, run.run_id, ledger, everything, known_words()),
        written.estimates,
        first,
        load_checks(store),
        complete,
        endings,
        read_side_by_side(store, run.run_id, ledger, everything),
        written.comparisons.to_pylist(),
        read_noise(store),
    )
    store.put(keys.REPORT, html.encode())
    return Results(written.estimates, first)
