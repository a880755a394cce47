"""The embedded engine: Hugging Face transformers, on the CPU or one GPU. It scores through the prefix tree.

In: token ids. Out: token ids, and log-probabilities in nats. Results equal those of scoring and sampling each prompt by
itself, up to float noise. Knows nothing about prompts' text, items, chains or probes.

Models that carry a state from token to token share prefixes by continuing from copies of it (``forks``). Models that
can do neither are scored with one prompt per row: those whose results on a small random tree differ from plain scoring
when they are loaded.

T = nodes of a tree pass, B = rows, N = positions whose logits are needed, V = vocabulary.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.memory import memory_errors
from cotfaith.workers.engines.next_tokens import Prefix, Wanted, totals, wanted_tokens
from cotfaith.workers.engines.precision import bfloat16_step
from cotfaith.workers.engines.pretrained import load_pretrained
from cotfaith.workers.engines.protocol import (
    Capabilities,
    EngineUsage,
    GenerateRequest,
    Generation,
    Running,
    ScoreRequest,
    Scores,
    check_generate,
    check_score,
)
from cotfaith.workers.engines.threads import use_threads
from cotfaith.workers.engines.transformers.attention import without_cudnn_attention
from cotfaith.workers.engines.transformers.decoder import Decoder
from cotfaith.workers.engines.transformers.float32_head import CANNOT, use_float32_head
from cotfaith.workers.engines.transformers.forks import run_forks
from cotfaith.workers.engines.transformers.generation import generate_all
from cotfaith.workers.engines.transformers.grouped_attention import grouped_attention
from cotfaith.workers.engines.transformers.head import head_of
from cotfaith.workers.engines.transformers.key_values import KeyValues
from cotfaith.workers.engines.transformers.options import Options, parse_options, static_capabilities
from cotfaith.workers.engines.transformers.packed_weights import use_packed_weights
from cotfaith.workers.engines.transformers.prefix_tree import Work, nothing, pack, work
from cotfaith.workers.engines.transformers.radix import Ids
from cotfaith.workers.engines.transformers.self_test import tree_fault
from cotfaith.workers.engines.transformers.tree_passes import layer_shapes, run_passes
from cotfaith.workers.sources import weights_source

TREE_LAYERS = frozenset({"full_attention", "sliding_attention", "chunked_attention"})
NO_HEAD = "Last hidden states are not kept (the output head fails by itself), so known texts cost a token each."
HEAD_ROWS = 128
"""The most positions whose float32 log-probabilities over the vocabulary are in memory at once."""


class NextTokens(dict[int, float]):
    """Next token -> its log-probability in nats."""

    norm: float
    """What to add to the log-probability to get the token's logit."""


LogProbs = dict[Prefix, NextTokens]
"""Prefix -> its next tokens."""
Covers = dict[Prefix, list[Prefix]]
"""A sequence to compute -> the wanted prefixes that it yields: itself and some that it extends."""


class TransformersEngine:
    """An engine that holds one model's weights; see the module's contract."""

    def __init__(self, spec: ModelSpec, threads: int | None = None) -> None:
        self._options = parse_options(spec)
        self._notes = use_threads(spec, threads, self._options.device)
        self.model, tokenizer = _load(spec, self._options)
        self._config = self.model.config.get_text_config()
        self._takes = frozenset(inspect.signature(self.model.forward).parameters)
        eos = _eos_ids(self.model, tokenizer)
        longest = getattr(self._config, "max_position_embeddings", None)
        self._capabilities = replace(static_capabilities(spec), max_context=longest)
        self._usage = EngineUsage()
        self._running, self._scored = Running(), 0
        if not use_float32_head(self.model):
            self._note(CANNOT)
        use_packed_weights(self.model, self._options.packed_bytes, self._options.max_rows)
        self._kept: KeyValues | None = None
        self._recurrent = _is_recurrent(self._config, self._takes)
        self._tree = self._options.prefix_tree == "auto" and self._tree_works(getattr(torch, spec.dtype))
        if self._tree and not self._recurrent:
            self._kept = self._place_to_keep()
        if self._kept and self._kept.head is None:
            self._note(NO_HEAD)
        self._decoder = Decoder(self.model, tokenizer, eos, self._takes, self._recurrent, *self._shared_prefill())

    @property
    def capabilities(self) -> Capabilities:
        """The static capabilities, and the model's context window."""
        return self._capabilities

    def usage(self) -> EngineUsage:
        """Return the work done so far."""
        return replace(self._usage, running=self._running)

    @property
    def kept_bytes(self) -> int:
        """The size of the keys, values and last hidden states that are kept for later calls."""
        return self._kept.held * self._kept.token_size if self._kept else 0

    def notes(self) -> list[str]:
        """Return notes on whether and why a slower path is in use."""
        return list(self._notes)

    @memory_errors()
    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Return, per request, log P(candidate | prompt) in nats, summed over a candidate's tokens."""
        check_score(requests, self._capabilities.max_context)
        with torch.inference_mode(), without_cudnn_attention(), self._counting(len(requests)):
            table = self._log_probs(wanted_tokens(requests))
        self._usage = self._usage.with_requests(requests)
        scores = totals(requests, table)
        if self.model.dtype == torch.float32:
            return [Scores(row) for row in scores]
        return [Scores(row, _resolution(r, row, table)) for r, row in zip(requests, scores, strict=True)]

    @memory_errors()
    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt; see ``generation``."""
        check_generate(requests, self._capabilities.max_context)
        with torch.inference_mode(), without_cudnn_attention(), grouped_attention(self.model), self._counting(0):
            generations, done = generate_all(self._decoder, requests, self._options.max_rows, self._tell)
        self._count(done)
        self._usage = self._usage.with_requests(requests, generated=sum(len(g.tokens) for g in generations))
        return generations

    def forget(self) -> None:
        """Forget what earlier calls computed; it only costs time."""
        if self._kept is not None:
            self._kept.forget()

    @contextmanager
    def _counting(self, scored: int) -> Iterator[None]:
        """Count a running call, until it has ended or failed; ``scored``: requests whose share done is counted."""
        self._scored = scored
        try:
            yield
        finally:
            self._scored = 0
            self._tell(Running())

    def _tell_share(self, done: int, total: int) -> None:
        self._tell(Running(ended=self._scored * done // max(1, total)))

    def _tell(self, running: Running) -> None:
        self._running = running

    def _log_probs(self, wanted: Wanted) -> LogProbs:
        """Return the log-probability of every wanted token."""
        if not self._tree:
            return self._by_rows(wanted)
        return self._shared(wanted, self._options.token_budget)

    def _shared(self, wanted: Wanted, token_budget: int) -> LogProbs:
        by = self._by_forks if self._recurrent else self._by_trees
        return by(wanted, token_budget)

    def _by_forks(self, wanted: Wanted, token_budget: int) -> LogProbs:
        table: LogProbs = {}
        done = 0
        for result in run_forks(self.model, self._takes, list(wanted), token_budget):
            self._count(Work(result.computed))
            done += len(result.row)
            self._tell_share(done, len(wanted))
            if result.row:
                table |= _pick(result.logits_NV, result.row, wanted)
        return table

    def _by_trees(self, wanted: Wanted, token_budget: int) -> LogProbs:
        if self._kept is not None:
            self._kept.begin()
        known = self._kept.known(wanted) if self._kept else {}
        prefixes = [prefix for prefix in wanted if prefix not in known]
        passes = pack(prefixes, token_budget, self._kept.match if self._kept else nothing)
        total, done = sum(map(len, passes)), 0
        self._count(work(passes, known.values()))
        table = self._by_head(known, wanted)
        for result in run_passes(self.model, self._takes, passes, self._kept):
            done += len(result.tree)
            self._tell_share(done, total)
            if result.row:
                rows = {prefixes[index]: row for index, row in result.row.items()}
                table |= _pick(result.logits_NV, rows, wanted)
        return table

    def _by_head(self, known: dict[Prefix, Ids], wanted: Wanted) -> LogProbs:
        """Return what follows prefixes that are kept whole, from their last hidden states."""
        table: LogProbs = {}
        prefixes = list(known)
        for start in range(0, len(prefixes), HEAD_ROWS):
            part = prefixes[start : start + HEAD_ROWS]
            assert self._kept is not None, "only what is kept is known"
            logits_NV = self._kept.logits([known[prefix] for prefix in part])
            table |= _pick(logits_NV, {prefix: row for row, prefix in enumerate(part)}, wanted)
        return table

    def _by_rows(self, wanted: Wanted) -> LogProbs:
        """Score one prompt per row. Padding is on the right, where a causal model cannot see it."""
        covers = _covers(wanted)
        table: LogProbs = {}
        ordered = sorted(covers, key=len)
        while ordered:
            count = max(1, min(len(ordered), self._options.token_budget // len(ordered[-1]), HEAD_ROWS))
            rows, ordered = ordered[-count:], ordered[:-count]
            table |= self._rows({row: covers[row] for row in rows}, wanted)
            self._tell_share(len(covers) - len(ordered), len(covers))
        return table

    def _rows(self, covers: Covers, wanted: Wanted) -> LogProbs:
        tokens_BT = torch.zeros(len(covers), max(map(len, covers)), dtype=torch.long)
        for i, row in enumerate(covers):
            tokens_BT[i, : len(row)] = torch.tensor(row)
        keep = sorted({len(prefix) - 1 for group in covers.values() for prefix in group})
        logits_BNV = self._forward(tokens_BT.to(self.model.device), keep)
        place = {position: i for i, position in enumerate(keep)}
        table: LogProbs = {}
        for logits_NV, group in zip(logits_BNV, covers.values(), strict=True):
            table |= _pick(logits_NV, {prefix: place[len(prefix) - 1] for prefix in group}, wanted)
        return table

    def _forward(self, tokens_BT: Tensor, keep: list[int]) -> Tensor:
        """Run one padded pass; return logits_BNV at the positions ``keep``."""
        self._count(Work(tokens_BT.numel()))
        keep_N = torch.tensor(keep, device=tokens_BT.device)
        if "logits_to_keep" in self._takes:
            logits_BNV: Tensor = self.model(input_ids=tokens_BT, use_cache=False, logits_to_keep=keep_N).logits
            return logits_BNV
        logits_BTV: Tensor = self.model(input_ids=tokens_BT, use_cache=False).logits
        return logits_BTV[:, keep_N]

    def _count(self, done: Work) -> None:
        computed, reused = self._usage.computed_tokens + done.computed, self._usage.reused_tokens + done.reused
        self._usage = replace(self._usage, computed_tokens=computed, reused_tokens=reused)

    def _shared_prefill(self) -> tuple[int | None, KeyValues | None]:
        """Return the tokens of a prefill pass, and what is kept; None: prompts are padded.

        Models that attend in chunks are not prefilled together: padding would shift the chunks.
        """
        chunks = getattr(self._config, "attention_chunk_size", None)
        if self._recurrent or not self._tree or chunks or "logits_to_keep" not in self._takes:
            return None, None
        return self._options.token_budget, self._kept

    @memory_errors()
    def _place_to_keep(self) -> KeyValues | None:
        """Return a place for what calls compute; none if the budget is 0, or too small for a token."""
        device: torch.device = self.model.device
        budget = self._options.kept_gb
        if budget is None:
            budget = torch.cuda.mem_get_info(device)[0] / 4e9 if device.type == "cuda" else 1.0
        if not budget:
            return None
        with torch.inference_mode():
            kept = KeyValues(layer_shapes(self.model, self._takes), head_of(self.model), int(budget * 1e9))
        return kept if kept.room else None

    @memory_errors()
    def _tree_works(self, dtype: torch.dtype) -> bool:
        """Score a small random tree both ways; if that fails or differs, note it and continue without the tree."""
        longest = self._capabilities.max_context or 64
        with torch.inference_mode(), without_cudnn_attention():
            fault = tree_fault(self._by_rows, self._shared, self._config.vocab_size, longest, dtype)
        self._usage = EngineUsage()
        if fault:
            self._note(f"The prefix tree is off ({fault}): prompts are scored one per row, which is slower.")
        return not fault

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)


def _covers(wanted: Wanted) -> Covers:
    """Return the prefixes that no other prefix extends: in sorted order, an extension follows directly."""
    covers: Covers = {}
    chain: list[Prefix] = []
    ordered = sorted(wanted)
    for prefix, after in pairwise([*ordered, ()]):
        chain.append(prefix)
        if after[: len(prefix)] != prefix:
            covers[prefix] = chain
            chain = []
    return covers


def _pick(logits_NV: Tensor, rows: dict[Prefix, int], wanted: Wanted) -> LogProbs:
    """Return the log-probabilities of the wanted tokens after each prefix; row ``rows[prefix]`` has its logits."""
    keys = [(prefix, token) for prefix in rows for token in wanted[prefix]]
    row_K = torch.tensor([rows[prefix] for prefix, _ in keys], device=logits_NV.device)
    token_K = torch.tensor([token for _, token in keys], device=logits_NV.device)
    norm_N = torch.cat([part.float().logsumexp(dim=-1) for part in logits_NV.split(HEAD_ROWS)])
    picked_K = logits_NV[row_K, token_K].float() - norm_N[row_K]
    found: LogProbs = {prefix: NextTokens() for prefix in rows}
    for (prefix, token), value, norm in zip(keys, picked_K.tolist(), norm_N[row_K].tolist(), strict=True):
        found[prefix][token] = value
        found[prefix].norm = norm
    return found


def _resolution(request: ScoreRequest, scores: Sequence[float], table: LogProbs) -> float:
    """Return one step of bfloat16 at the likeliest candidate's logit: the largest step of its tokens."""
    best = request.candidates[max(range(len(scores)), key=scores.__getitem__)]
    prefixes = [request.prompt + best[:n] for n in range(len(best))]
    return bfloat16_step(max(abs(table[p][t] + table[p].norm) for p, t in zip(prefixes, best, strict=True)))


def _load(spec: ModelSpec, options: Options) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM

    attention = None if options.attention == "auto" else options.attention
    return load_pretrained(
        spec,
        weights_source(spec),
        AutoModelForCausalLM,
        options.device,
        options.float32_copy,
        attn_implementation=attention,
    )


def _eos_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    generation = getattr(model.generation_config, "eos_token_id", None)
    found = [generation, getattr(model.config, "eos_token_id", None), tokenizer.eos_token_id]
    return frozenset(i for ids in found if ids is not None for i in (ids if isinstance(ids, list) else [ids]))


def _is_recurrent(config: Any, takes: frozenset[str]) -> bool:
    layers = set(getattr(config, "layer_types", None) or ())
    return not layers <= TREE_LAYERS or "past_key_values" not in takes
