"""Temporary replacement of a loaded model's attention, and exclusion of slow kernels.

In: a transformers model, and the name of a function registered with the library's ``AttentionInterface``.
"""

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any

from torch.backends.cuda import cudnn_sdp_enabled, enable_cudnn_sdp


@contextmanager
def attention_by(model: Any, name: str) -> Iterator[None]:
    """Make the model's forward passes within the block attend with the function called ``name``."""
    config = model.config.get_text_config()
    ordinary, config._attn_implementation = config._attn_implementation, name
    try:
        yield
    finally:
        config._attn_implementation = ordinary


@contextmanager
def without_cudnn_attention() -> Iterator[None]:
    """Exclude cuDNN's attention kernels: they are planned for each new length, and here nearly every length is new.

    On an H200, a call with new lengths takes six times as long with them; other calls take about as long as without.
    """
    before = cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    enable_cudnn_sdp(False)
    try:
        yield
    finally:
        enable_cudnn_sdp(before)


def unknown_arguments(arguments: Mapping[str, Any], known: Set[str]) -> set[str]:
    """Return the names of arguments that are set and not in ``known``: they could change the result."""
    return {name for name, value in arguments.items() if value is not None and value is not False} - known
