"""Other ways to score: padded batches, lm-evaluation-harness, vLLM with its prefix cache.

In: score requests. Out: log-probabilities in nats of their candidates, as in the engine protocol. Each way gets fair
conditions: batches sorted by length, the output head only at needed positions if its library allows that, caches
emptied between repeats and filled within one. B = rows, T = longest prompt, V = vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import torch

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.next_tokens import totals, wanted_tokens
from cotfaith.workers.engines.protocol import ScoreRequest

LOGITS_BYTES = 2 * 2**30
"""The most bytes of logits: lm-evaluation-harness keeps those of every token of a batch, twice."""


def padded(model: Any, requests: Sequence[ScoreRequest], rows: int) -> list[tuple[float, ...]]:
    """Score in batches of ``rows``, padded on the left; only the last position goes through the output head."""
    wanted = wanted_tokens(requests)
    ordered = sorted(wanted, key=len)
    answers: dict[tuple[int, ...], dict[int, float]] = {}
    with torch.inference_mode():
        for start in range(0, len(ordered), rows):
            batch = ordered[start : start + rows]
            for prefix, logprobs_V in zip(batch, _padded_logprobs(model, batch), strict=True):
                answers[prefix] = {token: logprobs_V[token].item() for token in wanted[prefix]}
    return totals(requests, answers)


def _padded_logprobs(model: Any, prompts: Sequence[tuple[int, ...]]) -> torch.Tensor:
    tokens_BT, mask_BT = left_padded(prompts)
    positions_BT = (mask_BT.cumsum(-1) - 1).clamp(min=0)
    inputs = {"input_ids": tokens_BT, "attention_mask": mask_BT, "position_ids": positions_BT}
    logits_BV = model(**{k: v.to(model.device) for k, v in inputs.items()}, use_cache=False, logits_to_keep=1).logits
    return logits_BV[:, -1].float().log_softmax(-1).cpu()


def left_padded(prompts: Sequence[tuple[int, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens_BT and mask_BT."""
    width = max(map(len, prompts))
    tokens_BT = torch.zeros(len(prompts), width, dtype=torch.long)
    mask_BT = torch.zeros_like(tokens_BT)
    for i, prompt in enumerate(prompts):
        tokens_BT[i, width - len(prompt) :] = torch.tensor(prompt)
        mask_BT[i, width - len(prompt) :] = 1
    return tokens_BT, mask_BT


def plain_pass(model: Any, tokens: int) -> None:
    """Run one causal pass over ``tokens`` random tokens; one position goes through the output head."""
    with torch.inference_mode():
        tokens_1T = torch.randint(0, model.config.get_text_config().vocab_size, (1, tokens), device=model.device)
        model(input_ids=tokens_1T, use_cache=False, logits_to_keep=1)


class Harness:
    """lm-evaluation-harness's ``hf`` model around loaded weights. It takes texts."""

    def __init__(self, model: Any, tokenizer: Any, rows: int) -> None:
        from lm_eval.models.huggingface import HFLM

        self._tokenizer, self._most_rows = tokenizer, rows
        self._lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=rows, device=str(model.device))
        self._row_bytes = 2 * model.config.get_text_config().vocab_size * model.dtype.itemsize

    def rows(self, requests: Sequence[ScoreRequest]) -> int:
        """Return the rows of a batch: fewer than wanted if its logits would fill the memory."""
        longest = max(len(r.prompt) for r in requests)
        return max(1, min(self._most_rows, LOGITS_BYTES // (longest * self._row_bytes)))

    def score(
        self, requests: Sequence[ScoreRequest], texts: Sequence[Sequence[tuple[str, str]]]
    ) -> list[tuple[float, ...]]:
        """Score ``texts``: per request its (prompt, candidate) pairs."""
        from lm_eval.api.instance import Instance

        pairs = [pair for group in texts for pair in group]
        instances = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
        self._lm.batch_size_per_gpu = self.rows(requests)
        found = iter(self._lm.loglikelihood(instances, disable_tqdm=True))
        return [tuple(next(found)[0] for _ in request.candidates) for request in requests]

    def texts(self, requests: Sequence[ScoreRequest]) -> list[list[tuple[str, str]]]:
        """Return the texts of prompts and candidates."""
        return [[(self._text(r.prompt), self._text(c)) for c in r.candidates] for r in requests]

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def load_vllm(model: str, dtype: str, threads: int, rows: int | None = None) -> Any:
    """Return this project's vLLM engine, in this process; on a GPU it takes under half of the memory."""
    from cotfaith.workers.engines.vllm.engine import VllmEngine

    settings = ({"gpu_memory_share": 0.45} if torch.cuda.is_available() else {}) | ({"max_rows": rows} if rows else {})
    return VllmEngine(ModelSpec(id="vllm", engine="vllm", source=model, dtype=dtype, options=settings), threads)  # type: ignore[arg-type]
