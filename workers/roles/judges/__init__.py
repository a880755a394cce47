"""The judges by name: they read chains."""

from cotfaith.workers.roles.judges.base import Judge, Judgement
from cotfaith.workers.roles.judges.organism import OrganismJudge

JUDGES: dict[str, type[Judge]] = {"organism": OrganismJudge}

__all__ = ["JUDGES", "Judge", "Judgement"]
