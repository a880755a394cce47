"""What this machine has for engines: cores, GPUs and memory, as a Ray that starts here counts them. Starts no Ray."""

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Machine:
    """What engines on this machine can have between them."""

    cpus: int
    """Cores that this process may use."""
    gpus: int
    """GPUs that this process may use: CUDA_VISIBLE_DEVICES and the like count."""
    memory_bytes: int
    """Main memory, or the container's limit."""
    gpu_bytes: int | None = None
    """Memory of the largest GPU; null: there is none, or its driver does not say."""


def local_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def this_machine() -> Machine:
    """Return what this machine has. Ray's own detection counts GPUs, so that a plan and a run agree."""
    from ray._common.utils import get_system_memory

    gpus = _gpus()
    return Machine(local_cores(), gpus, get_system_memory(), _gpu_bytes() if gpus else None)


def _gpus() -> int:
    from ray._private.resource_and_label_spec import ResourceAndLabelSpec

    spec: Any = ResourceAndLabelSpec
    manager, count = spec._get_current_node_accelerator(None, {})
    return int(count) if manager is not None and manager.get_resource_name() == "GPU" else 0


def _gpu_bytes() -> int | None:
    from ray._private.thirdparty import pynvml

    nvml: Any = pynvml
    try:
        nvml.nvmlInit()
        handles = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
        return max((int(nvml.nvmlDeviceGetMemoryInfo(one).total) for one in handles), default=None)
    except nvml.NVMLError:  # another maker's GPU
        return None
