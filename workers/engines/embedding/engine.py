"""Sentence embeddings from a transformers encoder. Mean pooling, as in Sentence-BERT (arXiv 1908.10084).

In: token ids. Out: one vector of length 1 per text: the mean of the last layer's states over its tokens. A text's
vector does not depend on its neighbours, up to float noise. It neither generates nor scores.

B = texts, T = positions, D = model dimension.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cotfaith.schemas.errors import EngineError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.embedding.options import parse_options, static_capabilities
from cotfaith.workers.engines.memory import memory_errors
from cotfaith.workers.engines.pretrained import load_pretrained
from cotfaith.workers.engines.protocol import (
    Capabilities,
    EmbedRequest,
    EngineUsage,
    GenerateRequest,
    Generation,
    ScoreRequest,
    check_embed,
)
from cotfaith.workers.engines.threads import use_threads
from cotfaith.workers.sources import weights_source

Vector = tuple[float, ...]


class EmbeddingEngine:
    """An engine that holds one encoder's weights."""

    def __init__(self, spec: ModelSpec, threads: int | None = None) -> None:
        options = parse_options(spec)
        self._notes = use_threads(spec, threads, options.device)
        self._model, longest = _load(spec, options.device)
        self._budget = options.token_budget
        self._capabilities = replace(static_capabilities(spec), max_context=longest)
        self._usage = EngineUsage()

    @property
    def capabilities(self) -> Capabilities:
        """Only embedding, of texts up to the model's window."""
        return self._capabilities

    @memory_errors()
    def embed(self, requests: Sequence[EmbedRequest]) -> list[Vector]:
        """Return each text's vector."""
        check_embed(requests, self._capabilities.max_context)
        vectors: dict[int, Vector] = {}
        with torch.inference_mode():
            for members in _batches([len(request.prompt) for request in requests], self._budget):
                found_BD = self._pooled([requests[i].prompt for i in members])
                vectors |= zip(members, map(tuple, found_BD.tolist()), strict=True)
        self._usage = self._usage.with_requests(requests)
        return [vectors[i] for i in range(len(requests))]

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Refuse."""
        raise EngineError("The embedding engine does not generate.")

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Refuse."""
        raise EngineError("The embedding engine does not score.")

    def usage(self) -> EngineUsage:
        """Return the work done so far."""
        return self._usage

    def notes(self) -> list[str]:
        """Say whether its threads are not pinned as asked."""
        return list(self._notes)

    def _pooled(self, texts: Sequence[tuple[int, ...]]) -> Tensor:
        """Return vectors_BD of length 1. Padding is on the right and is ignored."""
        tokens_BT = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.long)
        mask_BT = torch.zeros_like(tokens_BT)
        for row, text in enumerate(texts):
            tokens_BT[row, : len(text)] = torch.tensor(text)
            mask_BT[row, : len(text)] = 1
        self._usage = replace(self._usage, computed_tokens=self._usage.computed_tokens + tokens_BT.numel())
        mask_BT = mask_BT.to(self._model.device)
        states_BTD = self._model(input_ids=tokens_BT.to(mask_BT.device), attention_mask=mask_BT).last_hidden_state
        sums_BD = (states_BTD.float() * mask_BT[:, :, None]).sum(dim=1)
        return torch.nn.functional.normalize(sums_BD, dim=-1)  # a mean and a sum have the same direction


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield the members of each pass: texts of similar length together, to reduce padding."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[index] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _load(spec: ModelSpec, device: str) -> tuple[Any, int | None]:
    """Return the model and its window."""
    from transformers import AutoModel

    model, tokenizer = load_pretrained(spec, weights_source(spec), AutoModel, device)
    return model, _window(model, tokenizer)


def _window(model: Any, tokenizer: Any) -> int | None:
    """Return the longest text: the tokenizer's limit applies if positions begin after 0 (RoBERTa)."""
    stated = [getattr(model.config, "max_position_embeddings", None), tokenizer.model_max_length]
    return min((limit for limit in stated if limit), default=None)
