"""Many requests to one server: how they are sent, and what they cost by the server's own count."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from cotfaith.workers.engines.openai.options import Options
from cotfaith.workers.engines.protocol import EngineUsage

T = TypeVar("T")
R = TypeVar("R")


def each(ask: Callable[[T], R], asked: Iterable[T], concurrency: int) -> list[R]:
    """Send all, ``concurrency`` at once; the first failure is raised, and requests not yet started are dropped."""
    with ThreadPoolExecutor(concurrency) as pool:
        futures = [pool.submit(ask, one) for one in asked]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def billed(usage: EngineUsage, counted: Mapping[str, Any], options: Options, prompt_tokens: int = 0) -> EngineUsage:
    """Return ``usage`` with one answer's work added.

    ``counted`` is the server's own count. ``prompt_tokens`` stand in for its count of the prompt if it gives none.
    """
    prompt, generated = counted.get("prompt_tokens") or prompt_tokens, counted.get("completion_tokens") or 0
    cached = (counted.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    computed, reused = usage.computed_tokens + prompt - cached + generated, usage.reused_tokens + cached
    usage = replace(usage, computed_tokens=computed, reused_tokens=reused)
    if options.price_prompt is None or options.price_generated is None:
        return usage
    price = prompt * options.price_prompt + generated * options.price_generated
    return replace(usage, cost=(usage.cost or 0.0) + price / 1e6)
