"""What the engines of a plan need of this machine, if Ray is started here: what it can never have is refused.

In: a plan. Out: nothing if Ray is joined at an address, or runs already in this process; else notes, or a ``SpecError``
with what was asked, what the machine has and what to do. Replicas beyond the first are a wish: a note says how many do
not start.
"""

import os
import sys
from collections.abc import Iterator, Mapping

from cotfaith.cluster.fleet.deployments import setups, stages
from cotfaith.cluster.fleet.machine import Machine, local_cores, this_machine
from cotfaith.cluster.fleet.memory import Weights, memory_faults, memory_notes
from cotfaith.cluster.fleet.need import ELSEWHERE, Need
from cotfaith.cluster.fleet.ray_session import starts_ray
from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.weights import weights_bytes
from cotfaith.schemas.errors import SpecError

_MOST_NAMED = 5


def check_machine(plan: Plan) -> list[str]:
    """Return notes on what does not fit well.

    Raises:
        SpecError: an engine, or one that answers beside its helpers, can never have what it asks for.

    """
    if not starts_ray(plan.spec.resources.ray_address):
        return []
    weights = {name: size for name, model in plan.models.items() if (size := weights_bytes(model)) is not None}
    machine = _machine(plan, weights)
    needs = [Need(plan, found, setups(plan.spec, found), machine) for found in stages(plan)]
    faults = dict.fromkeys(line for need in needs for line in _faults(need, weights))
    if faults:
        raise SpecError("\n".join(faults))
    notes = [line for need in needs for line in (*_replica_notes(need), *memory_notes(need, weights))]
    return list(dict.fromkeys(notes))


def _machine(plan: Plan, weights: Weights) -> Machine:
    """Return this machine; only its cores, if nothing else is asked of it: Ray, which counts the rest, loads slowly."""
    gpus = any(plan.spec.resources.of(model).gpus for model in plan.spec.models)
    return this_machine() if gpus or weights else Machine(local_cores(), 0, sys.maxsize)


def _faults(need: Need, weights: Weights) -> Iterator[str]:
    yield from _cpu_faults(need)
    yield from _gpu_faults(need)
    yield from _group_faults(need)
    yield from memory_faults(need, weights)


def _cpu_faults(need: Need) -> Iterator[str]:
    has = need.machine.cpus
    for asked, names in _by_count({name: need.setups[name].resources.cpus or 0 for name in need.models}):
        if asked > has:
            yield (
                f"{names}: an engine asks for {asked:g} CPUs, and this machine has {has} that this process may use. "
                f"Set cpus: {has} or leave it out, {ELSEWHERE}."
            )


def _gpu_faults(need: Need) -> Iterator[str]:
    has = need.machine.gpus
    for asked, names in _by_count({name: need.setups[name].resources.gpus for name in need.models}):
        if asked > has:
            yield (
                f"{names}: an engine asks for {asked:g} GPUs, and this machine has {has} that this process may use"
                f"{_visible()}. Set gpus: {has}{'' if has else ' to run on the CPU'}, {ELSEWHERE}."
            )


def _by_count(counts: Mapping[str, float]) -> Iterator[tuple[float, str]]:
    """Yield each count with the models that ask for it, such as "models.a, models.b"."""
    for count in sorted(set(counts.values())):
        names = [f"models.{name}" for name, n in counts.items() if n == count]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        yield count, ", ".join(names[:_MOST_NAMED]) + more


def _group_faults(need: Need) -> Iterator[str]:
    for group in need.groups:
        asking = [one for one in group if need.gpus([one])]
        if max((need.gpus([one]) for one in asking), default=0) <= need.machine.gpus < need.gpus(asking):
            who = " and ".join(f"{need.gpus([one]):g} for {one.words}" for one in asking)
            yield (
                f"resources.gpus: engines that work at the same time need {need.gpus(asking):g} GPUs ({who}), and this "
                f"machine has {need.machine.gpus}{_visible()}. Let them share GPUs (gpus: 0.5), run a helper on the "
                f"CPU (in the model: resources: {{gpus: 0}}), {ELSEWHERE}."
            )


def _replica_notes(need: Need) -> Iterator[str]:
    for first, *helping in need.groups:
        resources = need.setups[first.model].resources
        most = resources.replicas.max
        if resources.gpus:
            room = int((need.machine.gpus - need.gpus(helping) + 1e-9) / resources.gpus)
            if room < most:
                yield (
                    f"{first.model}: {most} replicas ask for {resources.gpus:g} GPUs each; this machine "
                    f"has room for {room} of them, and the others do not start."
                )


def _visible() -> str:
    """Return what limits the GPUs, if something does."""
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "" if value is None else f" (CUDA_VISIBLE_DEVICES is {value!r})"
