"""How long a plan takes, by model, task and stage, and where that figure comes from.

In: a plan, and its costs by stage. Out: seconds for each line. The first of these that is known counts: the rate that
the user states, the rates measured in the output folder's run, an estimate from the hardware (``roofline.py``). A model
on a server, on a cluster's unknown machines, or of unknown size has none. Models work one after another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cotfaith.cluster.plan.costs import Cost
from cotfaith.cluster.plan.hardware import Hardware, cores, gpu, gpu_names, this_cpu
from cotfaith.cluster.plan.model_size import model_size
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.rates import measured
from cotfaith.cluster.plan.roofline import Roofline
from cotfaith.schemas.spec import ModelSpec, ResourceSpec, RunSpec
from cotfaith.workers.engines.resolved import ResolvedModel

Origin = Literal["stated", "measured", "estimated"]
_MOST_LISTED = 4
_DEFAULTS = {"max_rows": 32, "token_budget": 2048}
"""For engines without these options, and where they are left to the engine."""


@dataclass(frozen=True)
class Speed:
    """How fast one model works through its lines of a plan."""

    origin: Origin
    seconds: Callable[[Cost], float]
    """Stage's work -> seconds, with all replicas."""
    on: str = ""
    """The hardware that an estimate is for."""


@dataclass(frozen=True)
class Hours:
    """A plan's lines, and the speed of each model for which it is known."""

    lines: Sequence[Cost]
    speeds: Mapping[str, Speed]
    folder: str

    @property
    def rates(self) -> dict[str, float]:
        """Model -> tokens per second over all its lines; those without work or speed are left out."""
        found = {}
        for model in self.speeds:
            own = [line for line in self.lines if line.model == model]
            if seconds := sum(self.seconds(line) or 0.0 for line in own):
                found[model] = sum(line.tokens for line in own) / seconds
        return found

    def seconds(self, line: Cost) -> float | None:
        """Return how long the line takes; None if the model's speed is not known."""
        speed = self.speeds.get(line.model)
        return None if speed is None else speed.seconds(line)

    def note(self) -> str:
        """Return in words where the hours come from, for whom they are unknown, and what to do about it."""
        if not self.rates:
            return "Hours: unknown. Set --tokens-per-second, or begin the run, which measures the rate."
        parts = [text for origin in _WORDS if (text := self._of(origin))]
        lacking = list(dict.fromkeys(line.model for line in self.lines if line.model not in self.rates))
        who = ", ".join(lacking) if len(lacking) <= _MOST_LISTED else f"{len(lacking)} models"
        unknown = f" Unknown for {who}: set --tokens-per-second." if lacking else ""
        return f"Hours: {'; '.join(parts)}. Models work one after another.{unknown}"

    def _of(self, origin: Origin) -> str:
        own = {model: speed for model, speed in self.speeds.items() if speed.origin == origin and model in self.rates}
        if not own:
            return ""
        rates = _listed({model: self.rates[model] for model in own})
        on = ", ".join(dict.fromkeys(speed.on for speed in own.values()))
        return _WORDS[origin].format(rates=rates, on=on, folder=self.folder)


def _listed(rates: Mapping[str, float]) -> str:
    if len(rates) <= _MOST_LISTED:
        return ", ".join(f"{model} {rate:,.0f}" for model, rate in rates.items())
    return f"{min(rates.values()):,.0f} to {max(rates.values()):,.0f} for {len(rates)} models"


_WORDS: dict[Origin, str] = {
    "stated": "at the stated tokens a second on every engine ({rates} with all replicas)",
    "measured": "at the tokens a second measured in {folder} ({rates}), if the rest is like what is done",
    "estimated": "estimated from {on} (tokens a second: {rates}), which can be off threefold; a run measures it",
}


def planned_hours(plan: Plan, lines: Sequence[Cost], stated: float | None = None) -> Hours:
    """Return the hours of ``lines``, which have stages; ``stated``: tokens per second of one engine."""
    engines = engines_used(plan, lines)
    if stated is not None:
        speeds = {name: _stated(stated * count) for name, count in engines.items()}
        return Hours(lines, speeds, plan.spec.output.path)
    speeds = {name: Speed("measured", rates.seconds) for name, rates in measured(plan).items()}
    for name in {line.model for line in lines} - speeds.keys():
        if (found := _estimated(plan, plan.models[name], engines[name])) is not None:
            speeds[name] = found
    return Hours(lines, {name: speeds[name] for name in plan.models if name in speeds}, plan.spec.output.path)


def engines_used(plan: Plan, lines: Sequence[Cost]) -> dict[str, int]:
    """Return model -> its engines that work at the same time: its replicas, but no more than its shards."""
    shards = {model.id: sum(line.shards for line in lines if line.model == model.id) for model in plan.spec.models}
    most = {name: plan.spec.resources.of(plan.model(name)).replicas.max for name in shards}
    return {name: max(1, min(most[name], count)) for name, count in shards.items()}


def _stated(rate: float) -> Speed:
    return Speed("stated", lambda work: work.tokens / rate)


def _estimated(plan: Plan, model: ResolvedModel, engines: int) -> Speed | None:
    """Return the speed by the model's size and its hardware; None if one of them is unknown."""
    if not model.kind.has_weights or model.kind.served_model is not None:
        return None
    hardware, size = _hardware(plan.spec, model.spec), model_size(model.spec)
    if hardware is None or size is None:
        return None
    most = min(plan.spec.resources.shard_size, max(map(len, plan.items.values())))
    together = most * plan.spec.sampling.chains_per_item
    rows = min(_option(model, "max_rows"), together)
    line = Roofline(size, hardware, model.spec.dtype, rows, _option(model, "token_budget"))
    gpus = plan.spec.resources.of(model.spec).gpus
    parts = engines * gpus if hardware.is_gpu else 1  # engines share this machine's cores
    return Speed("estimated", lambda work: line.seconds(work) / max(parts, 1), hardware.name)


def _option(model: ResolvedModel, name: str) -> int:
    field = model.kind.options.model_fields.get(name)
    value = model.spec.options.get(name, None if field is None else field.default)
    return value if isinstance(value, int) and value > 0 else _DEFAULTS[name]


def _hardware(spec: RunSpec, model: ModelSpec) -> Hardware | None:
    """Return the hardware of the model's engines; None if it is not this machine's, or not in the table."""
    if spec.resources.ray_address is not None:
        return None
    if spec.resources.of(model).gpus > 0:
        names = gpu_names()
        return gpu(names[0], model.dtype) if names else None
    return _cpu(spec.resources.of(model))


def _cpu(own: ResourceSpec) -> Hardware:
    """Return the cores of this machine that the engines use."""
    whole = this_cpu()
    each = own.threads or own.cpus
    share = 1.0 if each is None else min(1.0, each * own.replicas.max / cores())
    return Hardware(whole.name, whole.flops * share, whole.bytes_s * share, False)
