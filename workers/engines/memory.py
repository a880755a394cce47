"""Torch's out-of-memory error in our own words, told by its type.

On the CPU torch raises only a plain ``RuntimeError``, which stays what it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cotfaith.schemas.errors import EngineMemoryError


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise ``EngineMemoryError`` in place of torch's error."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise EngineMemoryError(
            f"Out of memory: {next(iter(str(error).splitlines()), 'torch gave no reason.')}"
        ) from error
