"""The adapters by name: one for each published format, and ``mapped`` for any other.

What a module here holds as ``ADAPTERS`` is one (or several). ``Registry`` says how others come in from outside.
"""

from cotfaith.workers.registry import Registry, found_in, handles
from cotfaith.workers.tasks.adapters.adapter import Adapter

ADAPTERS = handles(Registry(Adapter, "adapter", lambda: found_in(__name__, "ADAPTER", Adapter)))

__all__ = ["ADAPTERS", "Adapter"]
