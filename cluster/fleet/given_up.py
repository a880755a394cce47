"""Deployments that are given up in this run, because no engine can be made or kept up for them.

In: deployments with reasons, and the jobs that need them. Out: what is left of those jobs, and a record for each in the
run's folder, from which status and report say what is missing and why. A subject's jobs are dropped; a helper's are
done without the probes that need it. The next run tries all of them again. Knows nothing about Ray.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cotfaith.cluster.fleet.attempts import Pending
from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, needed
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import RunFailedError
from cotfaith.schemas.run_objects import GivenUpModel


@dataclass
class GivenUp:
    """What is given up, and which subjects lack something for it."""

    reasons: dict[Deployment, str] = field(default_factory=dict)
    _lacking: dict[Deployment, set[str]] = field(default_factory=dict)

    def add(self, deployment: Deployment, reason: str, say: Callable[[str], None]) -> None:
        """Give a deployment up, once; say it."""
        if deployment not in self.reasons:
            self.reasons[deployment] = reason
            say(f"Given up: {reason}")

    def without(self, plan: Plan, pending: Pending) -> list[Pending]:
        """Return the job that is left of a job that needs what is given up; none if that is the engine that answers."""
        roles = {role for role, one in pending.needs.items() if one in self.reasons}
        for role in roles:
            self._lacking.setdefault(pending.needs[role], set()).add(pending.job.shard.model)
        if SUBJECT in roles:
            return []
        stopped = {probe.name for probe in plan.probes if roles & probe.kind.needs}
        pieces = frozenset(piece for piece in pending.job.wanted.pieces if piece.probe not in stopped)
        job = replace(pending.job, wanted=replace(pending.job.wanted, pieces=pieces))
        return [replace(pending, job=job, needs=needed(plan, job))]

    def stops(self, pending: Pending) -> bool:
        """Return whether a job needs something that is given up."""
        return any(one in self.reasons for one in pending.needs.values())

    def record(self, store: Store) -> None:
        """Write a record for each deployment that some subject lacks."""
        for one, subjects in self._lacking.items():
            record = GivenUpModel(
                key=keys.given_up(*one),
                role=one.role,
                model=one.model,
                reason=self.reasons[one],
                lacking=sorted(subjects),
                at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            store.put(record.key, record.as_json())

    def check(self, subjects: Iterable[str]) -> None:
        """Raise ``RunFailedError`` if all subjects are given up."""
        reasons = [self.reasons.get(Deployment(SUBJECT, name)) for name in subjects]
        known = [reason for reason in reasons if reason is not None]
        if len(known) == len(reasons):
            raise RunFailedError("\n".join(dict.fromkeys(known)))
