"""A model's output head by itself: the last hidden states are recorded in passes, and given to the head again.

In: a causal model of transformers; its base is all of it but the head. Out: the last hidden state of each token, as it
leaves the base; and logits, for states from earlier passes. They come from the model's own forward method, with the
base replaced by one that returns the states: whatever the model does before and after its head (scales, soft caps,
float32) is done to them too. Use one thread. Knows nothing about what states are kept.

N = states, T = tokens, B = rows, D = width of a state, V = vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cotfaith.workers.engines.transformers.self_test import FAULTS

WITHIN = 1e-3
"""The largest error of a head that works, as a share of the largest logit."""
TRIED = 8
"""The tokens that test a head."""


class Head:
    """The head, and what its input is like."""

    def __init__(self, model: Any, output: Any) -> None:
        """``output``: what the model's base returned once, beginning with last hidden states."""
        self._model, self._output, state = model, type(output), output[0]
        self.width: int = state.shape[-1]
        self.dtype: torch.dtype = state.dtype
        self.device: torch.device = state.device

    @property
    def state_size(self) -> int:
        """Bytes of one state."""
        return self.width * self.dtype.itemsize

    def __call__(self, states_ND: Tensor) -> Tensor:
        """Return the logits (NV) after the tokens whose last hidden states these are."""
        tokens_1N = torch.zeros(1, len(states_ND), dtype=torch.long, device=self.device)  # only their number matters
        base = _base(self._model)
        replaced = vars(base).get("forward")  # by whoever changed the model; as a rule its class has the only one
        base.forward = lambda *_, **__: self._output(last_hidden_state=states_ND[None])
        try:
            logits_1NV: Tensor = self._model(input_ids=tokens_1N, use_cache=False).logits
        finally:
            if replaced is None:
                del base.forward
            else:
                base.forward = replaced
        return logits_1NV[0]


@dataclass
class Recorded:
    """What the base returned in the newest pass."""

    output: Any = None

    @property
    def states_BTD(self) -> Tensor:  # noqa: N802
        """The last hidden states."""
        states_BTD: Tensor = self.output[0]
        return states_BTD


@contextmanager
def recorded(model: Any) -> Iterator[Recorded]:
    """Record the passes within the block."""
    found = Recorded()

    def record(module: Any, arguments: Any, output: Any) -> None:
        found.output = output

    handle = _base(model).register_forward_hook(record)
    try:
        yield found
    finally:
        handle.remove()


def head_of(model: Any) -> Head | None:
    """Return the model's head; null if states recorded in a small pass do not give that pass's logits again."""
    if _base(model) is None:
        return None
    tokens_1T = torch.arange(TRIED, device=model.device)[None] % model.config.get_text_config().vocab_size
    try:
        with recorded(model) as last:
            expected_TV = model(input_ids=tokens_1T, use_cache=False).logits[0]
        head = Head(model, last.output)
        found_TV = head(last.states_BTD[0])
    except torch.OutOfMemoryError:  # it says nothing about heads
        raise
    except FAULTS:
        return None
    if found_TV.shape != expected_TV.shape:
        return None
    off, largest = (found_TV - expected_TV).abs().max(), expected_TV.abs().max()
    return head if bool(off <= WITHIN * largest) else None


def _base(model: Any) -> Any:
    base = model.base_model
    return getattr(model, "model", None) if base is model else base  # Llama 4 names none, but has one
