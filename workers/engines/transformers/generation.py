"""Batched sampling with a key-value cache, for one loaded torch model.

In: requests that share a batch. Out: one generation each, in order. Shared prefixes are computed once if the model
takes a tree; identical prompts are always computed once. A row begins with the head only, for as long as its text is
what earlier calls or rows computed. Rows leave the batch as they finish, and waiting rows take their places. Every
choice comes from its request's own random numbers, so neighbours change results only by float noise. Knows nothing
about loading, and knows only the text that stop strings need.

B = rows, E = some of them, P = distinct prompts, T = longest prompt, V = vocabulary.
"""

from collections.abc import Callable, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotfaith.workers.engines.next_tokens import Prefix
from cotfaith.workers.engines.protocol import GenerateRequest, Generation, Running
from cotfaith.workers.engines.stops import finish
from cotfaith.workers.engines.transformers import row_cache
from cotfaith.workers.engines.transformers.decoder import Decoder
from cotfaith.workers.engines.transformers.head import recorded
from cotfaith.workers.engines.transformers.key_values import KeyValues
from cotfaith.workers.engines.transformers.prefix_tree import Work, work
from cotfaith.workers.engines.transformers.radix import Ids
from cotfaith.workers.engines.transformers.sampling import sample, uniforms
from cotfaith.workers.engines.transformers.shared_prefill import shared_prefill
from cotfaith.workers.text.joins import TAIL

WORTH_CUTTING = 0.25
"""The share of columns that are padding in every row from which on they are dropped."""


@dataclass
class _Row:
    """One unfinished request."""

    request: GenerateRequest
    uniforms: NDArray[np.float64]
    tokens: list[int] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    """The last hidden state (D) of each token that the batch computed, if states are kept."""
    result: Generation | None = None

    @property
    def text(self) -> Prefix:
        """The prompt and all tokens so far."""
        return (*self.request.prompt, *self.tokens)

    def add(self, token: int, decoder: Decoder) -> None:
        """Take the next token, and set the result if the text ends with it."""
        if token in decoder.eos:
            self.result = Generation(tuple(self.tokens), "stop")
            return
        self.tokens.append(token)
        if self._may_stop(decoder):
            ended = finish(self.tokens, self.request, decoder.eos, "length", decoder.joins)
            self.result = ended if ended.finish_reason == "stop" else None
        if self.result is None and len(self.tokens) == self.request.max_tokens:
            self.result = Generation(tuple(self.tokens), "length")

    def _may_stop(self, decoder: Decoder) -> bool:
        """Return whether a stop string is near the end: decoding the whole text for every token would be slow."""
        if not self.request.stop or len(self.tokens) <= self.request.min_tokens:
            return False
        # A character takes up to four tokens (bytes); the rest is room for tokens that spoil the character before.
        tail = 4 * max(map(len, self.request.stop)) + 8
        before = (*self.request.prompt[-TAIL:], *self.tokens[-tail - TAIL : -tail])
        text = decoder.joins.text_after(before, self.tokens[-tail:])
        return any(stop in text for stop in self.request.stop)


def generate_all(
    decoder: Decoder,
    requests: Sequence[GenerateRequest],
    max_rows: int,
    tell: Callable[[Running], None] = lambda running: None,
) -> tuple[list[Generation], Work]:
    """Continue every prompt, at most ``max_rows`` at once; return the generations and the work.

    ``tell`` is called after every step of the batch with what is done so far.
    Keys, values and last hidden states of prompts and texts are kept for later calls if there is a place for them.
    Finished rows make room for waiting ones, an eighth of the batch at a time: a prefill per row would cost more.
    The longest limits come first, so that few rows are left alone at the end.
    Models without a shared prefill cannot mix rows of different age: they get one fixed batch after another.
    """
    if decoder.kept is not None:
        decoder.kept.begin()
    rows = [_Row(request, uniforms(request.seed, request.max_tokens)) for request in requests]
    waiting = _batches(decoder, rows, max_rows)
    state = _State(decoder)
    while waiting or state.rows:
        free = max_rows - len(state.rows)
        if waiting and (not state.rows or (decoder.tree_budget is not None and free >= max(1, max_rows // 8))):
            state.admit(_take(waiting, free))
        else:
            state.advance()
        tell(state.running)
    results = [row.result for row in rows]
    assert all(results), "the loop ends when every row has its result"
    return [result for result in results if result], state.work


def _batches(decoder: Decoder, rows: Sequence[_Row], max_rows: int) -> list[list[_Row]]:
    """Group by shared prefix, or else by length; recurrent layers would read padding, so their groups have none."""
    if decoder.tree_budget is not None:
        return [sorted(rows, key=lambda row: (-row.request.max_tokens, row.request.prompt))] if rows else []
    batches: list[list[_Row]] = []
    for row in sorted(rows, key=lambda row: (len(row.request.prompt), row.request.prompt)):
        last = batches[-1] if batches else []
        other_length = last and len(last[0].request.prompt) != len(row.request.prompt)
        if not last or len(last) == max_rows or (decoder.recurrent and other_length):
            batches.append([])
        batches[-1].append(row)
    return batches


def _take(waiting: list[list[_Row]], count: int) -> list[_Row]:
    """Remove and return the next rows: at most ``count`` of the first group."""
    taken, rest = waiting[0][:count], waiting[0][count:]
    waiting[:1] = [rest] if rest else []
    return taken


def _prefill(decoder: Decoder, rows: Sequence[_Row], read: Sequence[Ids]) -> tuple[Tensor, Any, Tensor, Work]:
    """Return logits_BV after each row's text, the cache, mask_BT and the work, of which ``read`` is done before."""
    texts = list(dict.fromkeys(row.text for row in rows))
    tokens_PT, mask_PT = _left_padded(texts, decoder.model.device)
    if decoder.tree_budget is None:
        positions_PT = (mask_PT.cumsum(dim=-1) - 1).clamp(min=0)
        logits_PV, cache = decoder.step(tokens_PT, mask_PT, positions_PT, None)
        done = Work(tokens_PT.numel())
    else:
        logits_PV, cache, done = shared_prefill(
            decoder.model, decoder.takes, texts, decoder.tree_budget, decoder.kept, read
        )
    place = {text: i for i, text in enumerate(texts)}
    index_B = torch.tensor([place[row.text] for row in rows], device=tokens_PT.device)
    if len(texts) < len(rows):
        cache.reorder_cache(index_B)
    return logits_PV[index_B], cache, mask_PT[index_B], done


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
    """The running rows, and their cache."""

    decoder: Decoder
    rows: list[_Row] = field(default_factory=list)
    cache: Any = None
    mask_BT: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.long))  # noqa: N815
    work: Work = field(default_factory=Work)
    generated: int = 0
    """Tokens, also those of unfinished rows."""
    ended: int = 0
    """Rows that are finished."""

    @property
    def running(self) -> Running:
        """What is done so far."""
        limit = max((row.request.max_tokens for row in self.rows), default=0)
        return Running(self.generated, self.ended, len(self.rows), sum(len(row.tokens) for row in self.rows), limit)

    def admit(self, waiting: Sequence[_Row]) -> None:
        """Continue rows by what is known, run the rest of their texts, and keep the rows that have not ended."""
        read = self._continue_known(waiting)
        rows = [row for row in waiting if row.result is None]
        self.ended += len(waiting) - len(rows)
        if not rows:
            self.work += work([], read)
            return
        logits_BV, cache, mask_BT, done = _prefill(self.decoder, rows, read)
        self.work += done
        self._extend(rows, logits_BV)
        if self.rows:
            row_cache.join(self.cache, cache)
            width = max(self.mask_BT.shape[1], mask_BT.shape[1])
            self.mask_BT = torch.cat([_widen(self.mask_BT, width), _widen(mask_BT, width)])
        else:
            self.cache, self.mask_BT = cache, mask_BT
        self.rows += rows
        self._drop_finished()

    def _continue_known(self, rows: Sequence[_Row]) -> list[Ids]:
        """Sample as long as a row's text is kept whole, which takes only the head; return the slots read."""
        kept, read = self.decoder.kept, dict[int, Ids]()
        going = list(rows)
        while kept is not None and going:
            known = kept.known(dict.fromkeys(row.text for row in going))
            going = [row for row in going if row.text in known]
            if not going:
                break
            place = {text: i for i, text in enumerate(known)}
            read |= {id(row): known[row.text] for row in going}
            self._extend(going, kept.logits(known.values())[[place[row.text] for row in going]])
            going = [row for row in going if row.result is None]
        return list(read.values())

    def advance(self) -> None:
        """Run the model on each row's newest token, and drop the rows that the next token ends."""
        tokens_B1 = torch.tensor([[row.tokens[-1]] for row in self.rows], device=self.mask_BT.device)
        self.mask_BT = torch.cat([self.mask_BT, torch.ones_like(tokens_B1)], dim=1)
        positions_B1 = self.mask_BT.sum(dim=1, keepdim=True) - 1
        with recorded(self.decoder.model) if self.decoder.keeps_states else nullcontext() as last:
            logits_BV, self.cache = self.decoder.step(tokens_B1, self.mask_BT, positions_B1, self.cache)
        if last:
            for row, state_D in zip(self.rows, last.states_BTD[:, -1], strict=True):
                row.states.append(state_D)
        self.work += Work(len(self.rows))
        self._extend(self.rows, logits_BV)
        self._drop_finished()

    def _extend(self, rows: Sequence[_Row], logits_BV: Tensor) -> None:
        for row, token in zip(rows, _sample(rows, _masked(rows, logits_BV, self.decoder.eos)), strict=True):
            row.add(token, self.decoder)
        self.generated += len(rows)

    def _drop_finished(self) -> None:
        ended = [i for i, row in enumerate(self.rows) if row.result is not None]
        if not ended:
            return
        if self.decoder.kept is not None:
            for i in ended:
                self._keep(i, self.decoder.kept)
        keep = self._drop(ended)
        self.ended += len(ended)
        self.mask_BT = self.mask_BT[torch.tensor(keep, dtype=torch.long, device=self.mask_BT.device)]
        self.rows = [self.rows[i] for i in keep]
        self._trim()

    def _drop(self, ended: Sequence[int]) -> list[int]:
        """Drop rows of the cache; return those that stay, in their new order."""
        keep = list(range(len(self.rows)))
        if self.decoder.tree_budget is None:  # a cache of the library's: all its rows are copied
            keep = [i for i in keep if i not in set(ended)]
            if keep:
                self.cache.reorder_cache(torch.tensor(keep, device=self.mask_BT.device))
            return keep
        for i in reversed(ended):
            row_cache.drop(self.cache, i)
            keep[i] = keep[-1]
            keep.pop()
        return keep

    def _keep(self, i: int, kept: KeyValues) -> None:
        """Keep a finished row's text, but for a last token that nothing followed."""
        row, count = self.rows[i], int(self.mask_BT[i].sum())
        ids = np.array(row.text[:count], dtype=np.int64)
        layers = [(layer.keys[i, :, -count:], layer.values[i, :, -count:]) for layer in self.cache.layers]
        kept.keep(ids, layers, row.states)

    def _trim(self) -> None:
        """Drop the columns that are padding in every row, if the cache can be cut and they are worth a copy."""
        if self.decoder.tree_budget is None or not self.rows:
            return
        padding = int((self.mask_BT.sum(dim=0) > 0).int().argmax())
        if padding >= WORTH_CUTTING * self.mask_BT.shape[1]:
            row_cache.trim_left(self.cache, padding)
            self.mask_BT = self.mask_BT[:, padding:]


def _widen(mask_BT: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(mask_BT, (width - mask_BT.shape[1], 0))


def _masked(rows: Sequence[_Row], logits_BV: Tensor, eos: Set[int]) -> Tensor:
    """Return the logits, with the end of sequence masked in rows with fewer than ``min_tokens``."""
    early = [i for i, row in enumerate(rows) if len(row.tokens) < row.request.min_tokens]
    if not early:
        return logits_BV
    masked_BV = logits_BV.clone()
    early_E1 = torch.tensor(early, device=logits_BV.device)[:, None]
    masked_BV[early_E1, torch.tensor(sorted(eos), device=logits_BV.device)] = -torch.inf
    return masked_BV


def _sample(rows: Sequence[_Row], logits_BV: Tensor) -> list[int]:
    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64).to(logits_BV.device)

    temperature_B = column([row.request.temperature for row in rows])
    top_p_B = column([row.request.top_p for row in rows])
    uniform_B = column([float(row.uniforms[len(row.tokens)]) for row in rows])
    ids: list[int] = sample(logits_BV, temperature_B, top_p_B, uniform_B).tolist()
    return ids
