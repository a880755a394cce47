"""Batched sampling with a key-value cache, for one loaded torch model.

In: requests that share a batch. Out: one generation each, in order. Identical prompts are computed once and their cache
rows copied; rows leave the batch as they finish. Every choice comes from its request's own random numbers, so that
neighbours change results by float noise at most. Knows nothing about loading, and of text only what stop strings need.

B = rows, P = distinct prompts, T = longest prompt, V = vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotfaith.workers.engine import GenerateRequest, Generation
from cotfaith.workers.sampling import sample, uniforms


@dataclass(frozen=True)
class Decoder:
    """A model with what its generation needs."""

    model: Any
    tokenizer: Any
    eos: frozenset[int]
    takes: frozenset[str]
    """Names of the arguments of the model's forward method."""

    def step(self, tokens_BT: Tensor, mask_BT: Tensor, positions_BT: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Run the model on new tokens; return the last position's logits_BV, and the grown cache."""
        kind = "past_key_values" if "past_key_values" in self.takes else "cache_params"
        optional = {"position_ids": positions_BT, "logits_to_keep": 1, kind: cache}
        extra = {name: value for name, value in optional.items() if name in self.takes}
        out = self.model(input_ids=tokens_BT, attention_mask=mask_BT, use_cache=True, **extra)
        return out.logits[:, -1], out[kind]

    def text(self, tokens: Sequence[int]) -> str:
        """Decode, special tokens included: a stop string may be one."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def ids(self, text: str) -> list[int]:
        """Encode a piece of a continuation."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))


@dataclass
class _Row:
    """One request in the making."""

    request: GenerateRequest
    uniforms: NDArray[np.float64]
    tokens: list[int] = field(default_factory=list)
    result: Generation | None = None

    def add(self, token: int, decoder: Decoder) -> None:
        """Take the next token, and set the result if the text ends with it."""
        if token in decoder.eos:
            self.result = Generation(tuple(self.tokens), "stop")
            return
        self.tokens.append(token)
        if self._stopped(decoder):
            self.result = Generation(tuple(_before_stop(self.tokens, self.request.stop, decoder)), "stop")
        elif len(self.tokens) == self.request.max_tokens:
            self.result = Generation(tuple(self.tokens), "length")

    def _stopped(self, decoder: Decoder) -> bool:
        if not self.request.stop:
            return False
        # A character takes up to four tokens (bytes); the rest is room for what decoding does at a text's start.
        tail = 4 * max(map(len, self.request.stop)) + 8
        text = decoder.text(self.tokens[-tail:])
        return any(stop in text for stop in self.request.stop)


def generate_batch(decoder: Decoder, requests: Sequence[GenerateRequest]) -> tuple[list[Generation], int]:
    """Continue every prompt; return the generations and the number of positions computed."""
    rows = [_Row(request, uniforms(request.seed, request.max_tokens)) for request in requests]
    state, logits_BV = _prefill(decoder, rows)
    while True:
        state.choose(logits_BV)
        if not state.rows:
            break
        logits_BV = state.advance()
    results = [row.result for row in rows]
    assert all(results), "the loop ends when every row has its result"
    return [result for result in results if result], state.computed


def _prefill(decoder: Decoder, rows: list[_Row]) -> tuple["_State", Tensor]:
    prompts = list(dict.fromkeys(row.request.prompt for row in rows))
    tokens_PT, mask_PT = _left_padded(prompts, decoder.model.device)
    positions_PT = (mask_PT.cumsum(dim=-1) - 1).clamp(min=0)
    logits_PV, cache = decoder.step(tokens_PT, mask_PT, positions_PT, None)
    place = {prompt: i for i, prompt in enumerate(prompts)}
    index_B = torch.tensor([place[row.request.prompt] for row in rows], device=tokens_PT.device)
    if len(prompts) < len(rows):
        cache.reorder_cache(index_B)
    state = _State(decoder, list(rows), cache, mask_PT[index_B], computed=tokens_PT.numel())
    return state, logits_PV[index_B]


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    width = max(map(len, prompts))
    tokens_PT = torch.zeros(len(prompts), width, dtype=torch.long)
    mask_PT = torch.zeros(len(prompts), width, dtype=torch.long)
    for i, prompt in enumerate(prompts):
        tokens_PT[i, width - len(prompt) :] = torch.tensor(prompt)
        mask_PT[i, width - len(prompt) :] = 1
    return tokens_PT.to(device), mask_PT.to(device)


@dataclass
class _State:
    """The rows still running, and their cache."""

    decoder: Decoder
    rows: list[_Row]
    cache: Any
    mask_BT: Tensor  # noqa: N815
    computed: int

    def choose(self, logits_BV: Tensor) -> None:
        """Give each row its next token, and drop those that are done."""
        for row, token in zip(self.rows, self._sample(logits_BV), strict=True):
            row.add(token, self.decoder)
        keep = [i for i, row in enumerate(self.rows) if row.result is None]
        if 0 < len(keep) < len(self.rows):
            index_B = torch.tensor(keep, device=self.mask_BT.device)
            self.cache.reorder_cache(index_B)
            self.mask_BT = self.mask_BT[index_B]
        self.rows = [self.rows[i] for i in keep]

    def advance(self) -> Tensor:
        """Run the model on each row's newest token; return logits_BV."""
        tokens_B1 = torch.tensor([[row.tokens[-1]] for row in self.rows], device=self.mask_BT.device)
        self.mask_BT = torch.cat([self.mask_BT, torch.ones_like(tokens_B1)], dim=1)
        positions_B1 = self.mask_BT.sum(dim=1, keepdim=True) - 1
        logits_BV, self.cache = self.decoder.step(tokens_B1, self.mask_BT, positions_B1, self.cache)
        self.computed += len(self.rows)
        return logits_BV

    def _sample(self, logits_BV: Tensor) -> list[int]:
        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64).to(logits_BV.device)

        temperature_B = column([row.request.temperature for row in self.rows])
        top_p_B = column([row.request.top_p for row in self.rows])
        uniform_B = column([float(row.uniforms[len(row.tokens)]) for row in self.rows])
        ids: list[int] = sample(logits_BV, temperature_B, top_p_B, uniform_B).tolist()
        return ids


def _before_stop(tokens: list[int], stops: Sequence[str], decoder: Decoder) -> list[int]:
    """Return ids whose text ends right before the first stop string, even if that starts inside a token."""
    text = decoder.text(tokens)
    start = min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))
    whole = next(n for n in range(len(tokens), -1, -1) if text[:start].startswith(decoder.text(tokens[:n])))
    rest = text[len(decoder.text(tokens[:whole])) : start]
    mended = tokens[:whole] + (decoder.ids(rest) if rest else [])
    return mended if decoder.text(mended) == text[:start] else tokens[:whole]
