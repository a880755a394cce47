"""The weights of a stage's engines against the memory of the machine or of its GPUs. Knows nothing about other memory.

In: what the stage needs, and the bytes of each model's weights. Out: a line for each model that can never be loaded; a
line for engines that fit one by one and not together.
"""

from collections.abc import Iterator, Mapping

from cotfaith.cluster.fleet.deployments import SUBJECT, Deployment, Setup
from cotfaith.cluster.fleet.need import ELSEWHERE, Need

Weights = Mapping[str, int]
"""Model -> bytes of its weights, where they are known."""
_GIB = 2**30


def memory_faults(need: Need, weights: Weights) -> Iterator[str]:
    """Yield a line for each model whose weights are larger than the memory that they would be in."""
    for name in need.models:
        setup = need.setups[name]
        room = _room(need, setup)
        if name in weights and room is not None and weights[name] > room:
            where = f"{_parts(need, setup)} of its GPUs have" if setup.resources.gpus else "this machine has"
            yield (
                f"models.{name}: its weights take {_gib(weights[name])} in {setup.model.dtype}, and {where} "
                f"{_gib(room)} of memory. {_way_out(need, setup, weights[name], room)}, {ELSEWHERE}."
            )


def memory_notes(need: Need, weights: Weights) -> Iterator[str]:
    """Yield a line for each group whose weights together are larger than the machine's memory."""
    for group in need.groups:
        copies = {one: _copies(need, one) for one in group if one.model in weights}
        total = sum(n * weights[one.model] for one, n in copies.items())
        if total > need.machine.memory_bytes:
            who = " and ".join(f"{n} x {one.words}" for one, n in copies.items() if n)
            yield (
                f"The weights of the engines that work at the same time ({who}) take {_gib(total)}, and this machine "
                f"has {_gib(need.machine.memory_bytes)} of memory. Set fewer replicas, or dtype: bfloat16."
            )


def _copies(need: Need, one: Deployment) -> int:
    """Return how many copies of the weights are in the machine's memory."""
    resources = need.setups[one.model].resources
    if resources.gpus:
        return 0
    return resources.replicas.max if one.role == SUBJECT else 1


def _room(need: Need, setup: Setup) -> int | None:
    """Return the bytes that the engine's weights can take; None: not known."""
    if not setup.resources.gpus:
        return need.machine.memory_bytes
    size = need.machine.gpu_bytes
    return None if size is None else size * _parts(need, setup)


def _parts(need: Need, setup: Setup) -> int:
    return setup.started.resources.parts if need.plan.models[setup.model.id].kind.shares_gpus else 1


def _way_out(need: Need, setup: Setup, size: int, room: int) -> str:
    if setup.model.dtype == "float32" and size / 2 <= room:
        return f"Set dtype: bfloat16, which takes {_gib(size // 2)}"
    if setup.resources.gpus and need.machine.gpu_bytes:
        return f"Set engine: vllm and resources: {{tensor_parallel: {size // need.machine.gpu_bytes + 1}}}"
    return "Use a smaller model"


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
