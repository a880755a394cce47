"""The least work of a forward pass, in floating-point operations: counted, not measured.

In: the token sequences that must be computed. Out: the work of any way that computes no prefix twice. A
multiplication and an addition are two operations; norms, activations and the softmax are not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cotfaith.workers.engines.next_tokens import wanted_tokens
from cotfaith.workers.engines.protocol import GenerateRequest, Generation, ScoreRequest

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Work:
    """What a pass computes."""

    tokens: int
    """Tokens, counting each distinct prefix once."""
    pairs: int
    """Pairs (token, token that it sees), which attention computes in each layer."""
    scored: int
    """Tokens that go through the output head."""


def scoring_work(requests: Sequence[ScoreRequest]) -> Work:
    """Count what the log-probabilities need."""
    prefixes = list(wanted_tokens(requests))
    return Work(*_distinct(prefixes), len(prefixes))


def generation_work(requests: Sequence[GenerateRequest], generations: Sequence[Generation]) -> Work:
    """Count what the continuations need."""
    tokens, pairs = _distinct([r.prompt for r in requests])
    lengths = [(len(r.prompt), len(g.tokens)) for r, g in zip(requests, generations, strict=True)]
    grown = sum(count for _, count in lengths)
    return Work(tokens + grown, pairs + sum(_run(start, start + count) for start, count in lengths), grown)


def _distinct(sequences: Sequence[Ids]) -> tuple[int, int]:
    """Return the nodes of a trie, and the sum of their depths."""
    tokens = pairs = 0
    for before, ids in pairwise([(), *sorted(set(sequences))]):
        shared = next(
            (i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), min(map(len, (before, ids)))
        )
        tokens += len(ids) - shared
        pairs += _run(shared, len(ids))
    return tokens, pairs


def _run(start: int, end: int) -> int:
    """Return the sum of start + 1 ... end."""
    return (end * (end + 1) - start * (start + 1)) // 2


def operations(model: Any, work: Work) -> int:
    """Return the floating-point operations of ``work``."""
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    ends = {id(part.weight): part.weight for part in (model.get_input_embeddings(), model.get_output_embeddings())}
    body = sum(p.numel() for p in model.parameters() if id(p) not in ends)
    head = model.get_output_embeddings().weight.numel()
    return 2 * body * work.tokens + 4 * config.num_hidden_layers * width * work.pairs + 2 * head * work.scored
