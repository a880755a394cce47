"""Opaque serial depth: the most operations in a row, each waiting for the last, that a model can do before a token.

In: a model of the spec. Out: a ``SerialDepth`` for run.json, with a reason if the depth is not known. It is an upper
bound from config.json only: no weights are read, and nothing says that a model uses its depth.

arXiv 2603.09786, abstract: "the length of the longest computation that can be done without the use of interpretable
intermediate steps like chain of thought". Here: from up to ``POSITIONS`` tokens to the next token's logits, in one
forward pass, by the rules in ``serial_operations.py``. Families of models whose blocks are not known have no depth,
because a guess would be no bound.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.plan.models import model_config
from cotfaith.cluster.plan.serial_operations import (
    ADD,
    CAP,
    MULTIPLY,
    attention,
    feed_forward,
    layer_norm,
    linear,
    mixture,
    number,
    rms_norm,
    selective_scan,
)
from cotfaith.schemas.errors import ModelSourceError, UncountedError
from cotfaith.schemas.run_objects import SerialDepth
from cotfaith.workers.engines.resolved import ResolvedModel

POSITIONS = 32_768
"""The most tokens, of prompt and text, that the bound holds for; the same for all, so that models can be compared."""
RECURRENT, FULL, SLIDING = ("mamba", "linear_attention"), ("attention", "full_attention"), "sliding_attention"
"""Kinds of layers, as configurations name them."""


@dataclass(frozen=True)
class Family:
    """What the layers of a family of models have in common."""

    block: Callable[[Any], int] | None
    """Configuration -> operations of what follows attention or a scan in each layer; null: nothing does."""
    norm: Callable[[int], int] = rms_norm
    norms: int = 1
    """On the way through each of the two."""
    query_norm: bool = False
    """Whether attention normalises queries and keys."""
    kinds: str | None = None
    """The kind of all layers, if the configuration does not state kinds."""


def _gated(config: Any) -> int:
    return feed_forward(config, number(config, "intermediate_size"))


def _gpt2(config: Any) -> int:
    return feed_forward(config, getattr(config, "n_inner", None) or 4 * number(config, "hidden_size"))


def _mixtral(config: Any) -> int:
    experts, chosen = number(config, "num_local_experts"), number(config, "num_experts_per_tok")
    return mixture(config, number(config, "intermediate_size"), experts, chosen)


def _qwen3_moe(config: Any) -> int:
    experts, chosen = number(config, "num_experts", "num_local_experts"), number(config, "num_experts_per_tok")
    return max(_gated(config), mixture(config, number(config, "moe_intermediate_size"), experts, chosen))


def _jamba(config: Any) -> int:
    experts, chosen = number(config, "num_experts", "num_local_experts"), number(config, "num_experts_per_tok")
    inner = number(config, "intermediate_size")
    return _gated(config) if experts == 1 else max(_gated(config), mixture(config, inner, experts, chosen))


_GATED = ("llama", "mistral", "qwen2", "smollm3", "phi3", "gemma")
FAMILIES = {name: Family(_gated) for name in _GATED} | {
    "qwen3": Family(_gated, query_norm=True),
    "olmo2": Family(_gated, query_norm=True),
    "gemma2": Family(_gated, norms=2),
    "gemma3_text": Family(_gated, norms=2, query_norm=True),
    "gpt2": Family(_gpt2, layer_norm),
    "gpt_neox": Family(_gated, layer_norm),
    "mixtral": Family(_mixtral),
    "qwen3_moe": Family(_qwen3_moe, query_norm=True),
    "jamba": Family(_jamba),
    "mamba": Family(None, kinds="mamba"),
    "falcon_mamba": Family(None, kinds="mamba"),
}
"""``model_type`` -> its family. Parts that only some of a family's models have are counted in all."""
WRAPPERS = ("gemma3",)
"""``model_type`` of models that see pictures, and whose text goes through nothing but ``text_config``."""


def serial_depths(models: Mapping[str, ResolvedModel]) -> dict[str, SerialDepth]:
    """Return the depth of each model, by id, or why it is not known."""
    return {name: _of_model(model) for name, model in models.items()}


def _of_model(model: ResolvedModel) -> SerialDepth:
    if not model.kind.has_weights:
        return SerialDepth(why="it has no weights")
    if model.kind.served_model is not None:
        return SerialDepth(why="its server does not tell its architecture")
    try:
        config = model_config(model.spec)
    except ModelSourceError:
        return SerialDepth(why="its configuration cannot be read")
    if model.spec.trust_remote_code and getattr(config, "auto_map", None):
        return SerialDepth(why="it runs code of its own, whose operations are not counted")
    return serial_depth(config)


def serial_depth(config: Any, positions: int = POSITIONS) -> SerialDepth:
    """Return the depth of a model with this configuration of transformers, for up to ``positions`` tokens.

    Attention and linear recurrences take more operations for more positions, by their logarithm.
    """
    try:
        inner = _language_model(config)
        family = FAMILIES[inner.model_type]
        kinds = _kinds(inner, family)
        operations = sum(_layer(inner, family, kind, positions) for kind in kinds) + _ends(inner, family)
    except UncountedError as error:
        return SerialDepth(why=str(error))
    recurrent = sum(kind in RECURRENT for kind in kinds)
    return SerialDepth(operations=operations, positions=positions, layers=len(kinds), recurrent_layers=recurrent)


def _language_model(config: Any) -> Any:
    """Return the configuration of the part that text goes through; raise ``UncountedError`` if it is not known."""
    if getattr(config, "is_encoder_decoder", False):
        raise UncountedError("it has an encoder and a decoder, whose operations are not counted")
    inner = getattr(config, "text_config", None) if config.model_type in WRAPPERS else config
    name = getattr(inner, "model_type", config.model_type)
    if name not in FAMILIES:
        raise UncountedError(f"the operations of the architecture {name} are not counted")
    return inner


def _kinds(config: Any, family: Family) -> list[str]:
    """Return the kind of each layer."""
    n = number(config, "num_hidden_layers")
    stated = getattr(config, "layers_block_type", None) or getattr(config, "layer_types", None)
    if family.kinds is not None or not stated:
        return [family.kinds or FULL[0]] * n
    if len(stated) != n:
        raise UncountedError(f"its configuration has {n} layers, and names the kinds of {len(stated)}")
    return list(stated)


def _layer(config: Any, family: Family, kind: str, positions: int) -> int:
    """Return the operations of a layer: attention or a scan, then the block, or both at once; with norms, residuals."""
    around = family.norms * family.norm(number(config, "hidden_size")) + ADD
    first = around + _mixing(config, family, kind, positions)
    block = 0 if family.block is None else around + family.block(config)
    return max(first, block) + ADD if getattr(config, "use_parallel_residual", False) else first + block


def _mixing(config: Any, family: Family, kind: str, positions: int) -> int:
    """Return the operations of the part of a layer in which positions meet."""
    if kind in FULL:
        return attention(config, positions, family.query_norm)
    if kind == SLIDING:
        return attention(config, min(positions, number(config, "sliding_window")), family.query_norm)
    if kind in RECURRENT:
        return _scan(config, positions)
    raise UncountedError(f"the operations of its layers {kind} are not counted")


def _scan(config: Any, positions: int) -> int:
    """Return the operations of a Mamba block, whose sizes have a prefix in hybrids."""
    d, inner = number(config, "hidden_size"), getattr(config, "mamba_expand", None)
    return selective_scan(
        config,
        inner * d if isinstance(inner, int) else number(config, "intermediate_size"),
        number(config, "state_size", "mamba_d_state"),
        number(config, "conv_kernel", "mamba_d_conv"),
        number(config, "time_step_rank", "mamba_dt_rank"),
        positions,
    )


def _ends(config: Any, family: Family) -> int:
    """Return the operations before the first layer (scale, or learned positions) and after the last (norm, logits)."""
    d = number(config, "hidden_size")
    return MULTIPLY + family.norm(d) + linear(d) + (CAP if getattr(config, "final_logit_softcapping", None) else 0)
