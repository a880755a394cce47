"""What the engines of a run cost, while it runs and over all its sessions.

In: which engine actors hold a place, and the tokens of servers. Out: money by the spec's prices, to ``Stopping``; and
an object of this session in the run's folder, which is written each minute and at the end. Each session writes only its
own, so sums over sessions count nothing twice, and a driver that is killed loses at most its last minute. An actor is
paid for from when it is seen on a node until it is gone. Knows nothing about Ray.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from cotfaith.cluster.fleet.deployments import Setup
from cotfaith.cluster.fleet.stopping import Stopping
from cotfaith.cluster.plan.prices import hour_price, tokens_price
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import CotfaithError, SpecError
from cotfaith.schemas.run_folder import parse_costs
from cotfaith.schemas.run_objects import EngineCosts, SessionCosts
from cotfaith.workers.engines.protocol import EngineUsage

WRITE_S = 60.0
"""Time between two writes."""
_LAST_WRITE_S = 5.0
"""The longest wait for the last write: a store that is down must not keep the driver from ending."""
_HOUR_S = 3600.0
Held = tuple[Setup, int]
"""A model's setup, and how many actors have it."""


@dataclass
class _Sum:
    """What the engines of one model took."""

    seconds: float = 0.0
    gpu_seconds: float = 0.0
    cpu_seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    cost: float | None = 0.0
    """None: a price is not known."""

    def add(self, seconds: float, setup: Setup, price: float | None) -> None:
        self.seconds += seconds
        self.gpu_seconds += seconds * setup.resources.gpus
        self.cpu_seconds += seconds * setup.share.cpus
        self.cost = None if self.cost is None or price is None else self.cost + seconds / _HOUR_S * price


class Costs:
    """Follows the engines of one session."""

    def __init__(
        self,
        currency: str,
        stopping: Stopping,
        earlier: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        session: str | None = None,
    ) -> None:
        self._currency, self._stopping, self._earlier, self._clock = currency, stopping, earlier, clock
        self._session, self._since = session or uuid.uuid4().hex, _now()
        self._held: Sequence[Held] = ()
        self._seen_s = clock()
        self._sums: dict[str, _Sum] = {}
        self._usage: dict[str, EngineUsage] = {}
        self._lock = threading.Lock()
        """The thread that writes reads the sums."""
        self._tell()

    def look(self, held: Sequence[Held]) -> None:
        """Take how many actors now hold a place. What was held until now is paid for until now."""
        with self._lock:
            now_s = self._clock()
            for setup, n in self._held:
                self._of(setup).add(n * (now_s - self._seen_s), setup, _price(setup))
            self._held, self._seen_s = tuple(held), now_s
        self._tell()

    def used(self, engine: str, setup: Setup, usage: EngineUsage) -> None:
        """Take the totals of the actor named ``engine``. Totals may arrive late; smaller ones are ignored."""
        before = self._usage.get(engine, EngineUsage())
        prompt = usage.prompt_tokens - before.prompt_tokens
        generated = usage.generated_tokens - before.generated_tokens
        if prompt < 0 or generated < 0:
            return
        self._usage[engine] = usage
        with self._lock:
            found = self._of(setup)
            found.prompt_tokens += prompt
            found.generated_tokens += generated
            if found.cost is not None:
                found.cost += tokens_price(setup.model, prompt, generated)

    @property
    def total(self) -> float:
        """What the run has cost, with its earlier sessions; what has no price counts nothing."""
        return self._earlier + sum(one.cost or 0.0 for one in self._sums.values())

    @property
    def currency(self) -> str:
        """What it is paid in."""
        return self._currency

    @property
    def are_known(self) -> bool:
        """Whether anything that was held has a price."""
        return any(one.cost is not None for one in self._sums.values())

    @property
    def per_hour(self) -> float:
        """What an hour of the actors that hold a place costs."""
        return sum(n * (_price(setup) or 0.0) for setup, n in self._held)

    def record(self) -> SessionCosts | None:
        """Return the session's object; None before any actor has held a place."""
        with self._lock:
            engines = [
                EngineCosts(
                    model=model,
                    hours=one.seconds / _HOUR_S,
                    gpu_hours=one.gpu_seconds / _HOUR_S,
                    cpu_hours=one.cpu_seconds / _HOUR_S,
                    prompt_tokens=one.prompt_tokens,
                    generated_tokens=one.generated_tokens,
                    cost=one.cost,
                )
                for model, one in self._sums.items()
            ]
        if not engines:
            return None
        return SessionCosts(
            key=keys.costs(self._session), since=self._since, until=_now(), currency=self._currency, engines=engines
        )

    def _of(self, setup: Setup) -> _Sum:
        return self._sums.setdefault(setup.model.id, _Sum())

    def _tell(self) -> None:
        self._stopping.spent(self.total, self.per_hour, self._currency)


def _price(setup: Setup) -> float | None:
    return hour_price(setup.model, setup.resources, setup.share.cpus)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def kept_costs(store: Store, costs: Costs, every_s: float = WRITE_S) -> Iterator[Costs]:
    """Write the session's object each minute, in a thread, and at the end. A store that fails ends nothing."""
    ended = threading.Event()
    thread = threading.Thread(target=_keep, args=(store, costs, ended, every_s), name="costs", daemon=True)
    thread.start()
    try:
        yield costs
    finally:
        ended.set()
        thread.join(_LAST_WRITE_S)


def _keep(store: Store, costs: Costs, ended: threading.Event, every_s: float) -> None:
    is_last = False
    while not is_last:
        is_last = ended.wait(every_s)
        if (record := costs.record()) is not None:
            with suppress(CotfaithError):  # the next write, or the next session, tells
                store.put(record.key, record.as_json())


def read_costs(store: Store) -> list[SessionCosts]:
    """Return the object of each session of a run, the oldest first.

    Raises:
        RunFolderError: one of them is something else.

    """
    found = [(key, store.get(key)) for key in sorted(store.list(keys.COSTS))]
    return sorted((parse_costs(data, key) for key, data in found if data is not None), key=lambda one: one.since)


def cost_of(sessions: list[SessionCosts], currency: str) -> float:
    """Return what sessions have cost together; one without prices counts nothing.

    Raises:
        SpecError: one of them was paid for in another currency.

    """
    for one in sessions:
        if one.cost and one.currency != currency:
            raise SpecError(
                f"resources.prices.currency: earlier sessions of this run cost {one.currency}, and the spec says "
                f"{currency}. Give prices in {one.currency}, or leave max_cost out."
            )
    return sum(one.cost or 0.0 for one in sessions)
