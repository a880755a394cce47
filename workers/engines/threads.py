"""The CPU threads of an engine that computes in its own process: how many, and on which cores.

In: a model's resources, its number of threads and its device. Out: notes for the user. The calling thread is the one
that computes. An engine on a GPU only gets its number of threads: it hardly uses them.
"""

import torch

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.cores import pin


def torch_device(name: str) -> str:
    """Return torch's name of a device; auto is the GPU if there is one, else the CPU."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def use_threads(spec: ModelSpec, threads: int | None, device: str) -> list[str]:
    """Set torch's number of threads, and move them to cores of their own if the model's resources say so.

    ``threads``: null leaves torch's default, and pins nothing. ``device``: torch's name, or "auto".
    """
    if threads is None:
        return []
    torch.set_num_threads(threads)
    if not spec.resources.pin or torch.device(torch_device(device)).type != "cpu":
        return []
    pinned = pin(threads)
    return [f"Its {threads} threads are not pinned: {pinned.why_not}."] if pinned.why_not else []
