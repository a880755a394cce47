"""A loaded torch model for generation: a step over a cache, and text for stop strings.

B = rows, T = new positions, V = vocabulary.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from cotfaith.workers.engines.transformers.key_values import KeyValues
from cotfaith.workers.text.joins import Joins


@dataclass(frozen=True)
class Decoder:
    """A model with what generation needs."""

    model: Any
    tokenizer: Any
    eos: frozenset[int]
    takes: frozenset[str]
    """Names of the arguments of the model's forward method."""
    recurrent: bool
    """Whether layers carry a state from token to token, which padding would change."""
    tree_budget: int | None = None
    """The most tokens of one prefill pass with shared prefixes; None: the model takes no tree: prompts are padded."""
    kept: KeyValues | None = None
    """What earlier calls computed; null: nothing is kept."""

    @property
    def keeps_states(self) -> bool:
        """Whether last hidden states are kept for later calls."""
        return self.kept is not None and self.kept.head is not None

    def step(self, tokens_BT: Tensor, mask_BT: Tensor, positions_BT: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Run the model on new tokens; return the last position's logits_BV, and the grown cache."""
        kind = "past_key_values" if "past_key_values" in self.takes else "cache_params"
        optional = {"position_ids": positions_BT, "logits_to_keep": 1, kind: cache}
        extra = {name: value for name, value in optional.items() if name in self.takes}
        out = self.model(input_ids=tokens_BT, attention_mask=mask_BT, use_cache=True, **extra)
        return out.logits[:, -1], out[kind]

    @cached_property
    def joins(self) -> Joins:
        """Text for stop strings, which may be special tokens."""
        return Joins(self.tokenizer)
