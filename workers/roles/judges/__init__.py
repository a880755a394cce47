"""The judges by name: they read chains. What a module here holds as ``JUDGE`` is one."""

from cotfaith.workers.registry import Registry, found_in, handles
from cotfaith.workers.roles.judges.base import Judge, Judgement

JUDGES = handles(Registry(Judge, "judge", lambda: found_in(__name__, "JUDGE", Judge)))

__all__ = ["JUDGES", "Judge", "Judgement"]
