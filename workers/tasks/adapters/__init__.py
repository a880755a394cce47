"""The adapters by name: one for each published format, and ``mapped`` for any other.

A module here defines one, or a tuple of them, as ``ADAPTER``. ``Registry`` says how to add others from outside.
"""

from cotfaith.workers.registry import Registry, found_in, handles
from cotfaith.workers.tasks.adapters.adapter import Adapter

ADAPTERS = handles(Registry(Adapter, "adapter", lambda: found_in(__name__, "ADAPTER", Adapter)))

__all__ = ["ADAPTERS", "Adapter"]
