"""The transformers library's own ways to generate: `model.generate` in batches, and its continuous batching.

In: generate requests. Out: generations, as in the engine protocol. Each way gets fair conditions: a row may end at
its own limit and stop string, a batch ends with its last row, and settings that come with the weights are off, as in
the engine.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from scorers import left_padded, padded
from transformers import ContinuousBatchingConfig, GenerationConfig, StoppingCriteria, StoppingCriteriaList
from transformers.generation import StopStringCriteria

from cotfaith.workers.engines.protocol import Capabilities, GenerateRequest, Generation, ScoreRequest
from cotfaith.workers.engines.stops import finish
from cotfaith.workers.text.joins import Joins

PAGE = 32
"""Tokens in one page of the continuous batching cache."""
SECONDS = 600
"""The longest wait for continuous batching."""


class Library:
    """One loaded model with its tokenizer, and the ways to generate with it."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        named = [model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id]
        lists = [ids if isinstance(ids, list) else [ids] for ids in named if ids is not None]
        self.eos = frozenset(token for ids in lists for token in ids)

    def generate(
        self, requests: Sequence[GenerateRequest], rows: int, order: Callable[[GenerateRequest], int]
    ) -> list[Generation]:
        """Continue in batches of ``rows``, sorted by ``order``."""
        places = sorted(range(len(requests)), key=lambda i: order(requests[i]))
        found: dict[int, Generation] = {}
        for start in range(0, len(places), rows):
            batch = places[start : start + rows]
            found |= zip(batch, self._batch([requests[i] for i in batch]), strict=True)
        return [found[i] for i in range(len(requests))]

    def _batch(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        tokens_BT, mask_BT = left_padded([r.prompt for r in requests])
        width = tokens_BT.shape[1]
        device = self.model.device
        torch.manual_seed(requests[0].seed)
        with torch.inference_mode():
            out_BT = self.model.generate(
                tokens_BT.to(device),
                attention_mask=mask_BT.to(device),
                generation_config=self._config(requests),
                stopping_criteria=StoppingCriteriaList([_Ends(self.tokenizer, requests, width)]),
            )
        return [self._finished(r, row[width:].tolist()) for r, row in zip(requests, out_BT, strict=True)]

    def _config(self, requests: Sequence[GenerateRequest]) -> GenerationConfig:
        first = requests[0]
        sampled = {"temperature": first.temperature, "top_p": first.top_p, "top_k": 0} if first.temperature else {}
        eos = sorted(self.eos)
        return GenerationConfig(
            do_sample=bool(sampled),
            max_new_tokens=max(r.max_tokens for r in requests),
            repetition_penalty=1.0,
            eos_token_id=eos or None,
            pad_token_id=eos[0] if eos else 0,
            **sampled,
        )

    def continuous(self, requests: Sequence[GenerateRequest], rows: int) -> list[Generation]:
        """Continue with the library's continuous batching, which has no stop strings: they are cut afterwards."""
        pages = max(-(-(len(r.prompt) + r.max_tokens) // PAGE) + 1 for r in requests)
        batching = ContinuousBatchingConfig(
            page_size=PAGE, num_blocks=rows * pages, max_batch_tokens=512, max_requests_per_batch=rows
        )
        found: dict[int, list[int]] = {}
        with self.model.continuous_batching_context_manager(
            generation_config=self._config(requests), continuous_batching_config=batching, warmup=False
        ) as manager:
            for i, r in enumerate(requests):
                manager.add_request(list(r.prompt), request_id=str(i), max_new_tokens=r.max_tokens)
            while len(found) < len(requests):
                output = manager.get_result(timeout=SECONDS)
                if output is None or output.error:
                    raise RuntimeError(f"continuous batching gave {output and output.error!r}; expected a generation")
                if output.is_finished():
                    found[int(output.request_id)] = list(output.generated_tokens)
        return [self._finished(r, found[i]) for i, r in enumerate(requests)]

    def _finished(self, request: GenerateRequest, tokens: Sequence[int]) -> Generation:
        return finish(tokens[: request.max_tokens], request, self.eos, "length", Joins(self.tokenizer))


class _Ends(StoppingCriteria):
    """A criterion that ends each row of a batch at its own limit and stop strings."""

    def __init__(self, tokenizer: Any, requests: Sequence[GenerateRequest], width: int) -> None:
        self._width = width
        self._limit_B = torch.tensor([r.max_tokens for r in requests])
        self._stops_B = torch.tensor([bool(r.stop) for r in requests])
        strings = sorted({stop for r in requests for stop in r.stop})
        self._strings = StopStringCriteria(tokenizer, strings) if strings else None

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        done_B = input_ids.shape[1] - self._width >= self._limit_B.to(input_ids.device)
        if self._strings is not None:
            done_B = done_B | (self._strings(input_ids, scores) & self._stops_B.to(input_ids.device))
        return done_B


class OneByOne:
    """An engine like a straightforward script: one chain at a time, one pass per prompt and answer."""

    def __init__(self, library: Library) -> None:
        self._library = library
        longest = getattr(library.model.config.get_text_config(), "max_position_embeddings", None)
        self.capabilities = Capabilities(generate=True, score=True, prefill=True, max_context=longest)

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Sample each chain by itself."""
        return [self._library.generate([request], 1, lambda r: 0)[0] for request in requests]

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Read the candidates' scores from the last position of each prompt's own pass."""
        return padded(self._library.model, requests, 1)
