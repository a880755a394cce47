"""A kind of engine, described before one is made: how to make it, its options, what it can do.

To add one, write ``workers/engines/NAME/`` with the engine and ``kind.py``, whose ``KIND`` is found by its file; or
register it from outside (``workers/registry.py``). ``kind.py`` imports neither torch nor an HTTP client.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cotfaith.schemas.spec import ModelSpec, Section
from cotfaith.workers.engines.protocol import Capabilities, Engine


@dataclass(frozen=True)
class EngineKind:
    """How to make an engine, and what it can do before it is made."""

    name: str
    summary: str
    """What it is for, in one line."""
    options: type[Section]
    """Settings that ``options`` of a model can hold, with their defaults."""
    make: Callable[[ModelSpec, int | None], Engine]
    """(model, threads) -> engine with its weights loaded."""
    capabilities: Callable[[ModelSpec], Capabilities]
    """From only the spec, or from the server that it names; raises ``InputError`` on a wrong option."""
    execution_options: frozenset[str] = frozenset()
    """Options that change speed and not results, so that a resumed run may change them."""
    served_model: Callable[[ModelSpec], str] | None = None
    """For engines that ask a server: the model's name there, which stands for weights that cannot be seen."""
    tokenizer: Callable[[ModelSpec], str] = lambda spec: spec.source
    """Where the tokenizer is: a folder or a hub id."""
    has_weights: bool = True
    """False: there is nothing at the model's source, and its tokens are bytes."""
    settled: Callable[[ModelSpec], ModelSpec] = lambda spec: spec
    """For a plan: the spec with what its server decides, so that all processes, and a resumed run, do the same."""
    whole_turns: Callable[[ModelSpec], bool] = lambda spec: False
    """Whether prompts are whole turns of a conversation that the engine's server tokenises: no tokenizer is loaded."""
    shares_gpus: bool = False
    """Whether several GPUs can share one copy of the weights (``resources.tensor_parallel``)."""
    closes_texts: bool = False
    """Whether texts end with the tokenizer's own end token, as encoders of meaning expect."""

    @property
    def module(self) -> str:
        """The module that makes it."""
        return self.make.__module__
