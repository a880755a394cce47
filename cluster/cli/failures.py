"""Rows of a run that are not ok, counted by who answered: a reader's failure is no subject's.

In: what is committed. Out: ``Failures``, for subjects and for readers. Knows nothing about how they are shown.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.schemas.status import Status


@dataclass(frozen=True)
class Failures:
    """The rows of one role."""

    rows: str
    """What they are called: "rows" where the subject answered, else "rows of readers"."""
    statuses: Counter[str]

    @property
    def total(self) -> int:
        """All rows."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Rows that are not ok."""
        return self.total - self.statuses[Status.OK]

    def as_data(self) -> dict[str, Any]:
        """Return them as plain data, for JSON."""
        return {"of": self.rows, "total": self.total, "failed": self.failed, "statuses": dict(self.statuses)}

    def are_more_than(self, share: float) -> bool:
        """Return whether more than ``share`` of the rows failed."""
        return self.failed > share * self.total


def failures(ledger: Ledger) -> list[Failures]:
    """Return the rows of each role that has some, the subjects' first."""
    found = [Failures(name, ledger.statuses(readers)) for name, readers in (("rows", False), ("rows of readers", True))]
    return [one for one in found if one.total]
