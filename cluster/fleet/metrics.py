"""A run's figures as Ray's metrics, which Prometheus reads from each node of a cluster.

In: live statuses, one after another. Out: gauges, and counters that grow by what is new; Ray puts ``ray_`` before their
names, and serves those of the driver on the driver's node. docs/observe.md lists them. Knows nothing about how they are
read.
"""

from typing import Any

from cotfaith.schemas.live_status import LiveStatus, ModelStatus

BY_MODEL = ("run_id", "model", "stage")
BY_RUN = ("run_id",)
COUNTERS = {
    "cotfaith_shards_done_total": ("done", "Jobs that are done"),
    "cotfaith_attempts_failed_total": ("failed", "Attempts at jobs that failed"),
    "cotfaith_preemptions_total": ("preempted", "Attempts at jobs that ended because a node was taken away"),
    "cotfaith_items_quarantined_total": ("quarantined", "Items that failed every attempt"),
    "cotfaith_tokens_total": ("tokens", "Tokens of prompts, each counted whole, and generated tokens"),
    "cotfaith_distinct_tokens_total": ("distinct_tokens", "Tokens that went through the model"),
}
"""Name -> figure of a model's stage, and what it is. A driver's counters begin at 0."""
GAUGES = {
    "cotfaith_shards_running": ("running", "Jobs that run"),
    "cotfaith_shards_waiting": ("waiting", "Jobs that wait"),
    "cotfaith_engine_busy_share": ("busy_share", "Share of the last minute in which engines that are up worked"),
    "cotfaith_engines_up": ("engines_up", "Engines whose weights are loaded"),
}
RUN_GAUGES = {
    "cotfaith_eta_seconds": ("eta_s", "Seconds until the run is done; -1: not known"),
    "cotfaith_cost": ("cost", "Cost of the engines so far, in the currency of the spec's prices; -1: not known"),
}
UNKNOWN = -1.0


class RayMetrics:
    """Sets the metrics of one driver. Ray must be up when it is first told something."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}
        self._before: dict[tuple[str, str, str], float] = {}
        """(Counter, model, stage) -> its value."""

    def publish(self, status: LiveStatus) -> None:
        """Set the gauges, and let the counters grow. What Ray makes of them is its own matter: it raises nothing."""
        for one in status.models:
            tags = {"run_id": status.run_id, "model": one.model, "stage": one.stage}
            for name, (figure, about) in COUNTERS.items():
                self._count(name, about, one, getattr(one, figure), tags)
            for name, (figure, about) in GAUGES.items():
                self._gauge(name, about, BY_MODEL).set(getattr(one, figure) or 0.0, tags=tags)
        for name, (figure, about) in RUN_GAUGES.items():
            value = getattr(status, figure)
            self._gauge(name, about, BY_RUN).set(UNKNOWN if value is None else value, tags={"run_id": status.run_id})

    def _count(self, name: str, about: str, one: ModelStatus, value: float, tags: dict[str, str]) -> None:
        key = (name, one.model, one.stage)
        more = value - self._before.get(key, 0.0)
        if more > 0:
            self._counter(name, about).inc(more, tags=tags)
            self._before[key] = value

    def _counter(self, name: str, about: str) -> Any:
        from ray.util.metrics import Counter

        if name not in self._made:
            self._made[name] = Counter(name, description=about, tag_keys=BY_MODEL)
        return self._made[name]

    def _gauge(self, name: str, about: str, keys: tuple[str, ...]) -> Any:
        from ray.util.metrics import Gauge

        if name not in self._made:
            self._made[name] = Gauge(name, description=about, tag_keys=keys)
        return self._made[name]
