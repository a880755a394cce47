"""Log-probabilities through the prefix tree against plain passes: one prompt a pass, no padding, no cache.

    python benchmarks/exactness.py [--model FOLDER] [--dtype float32] [--run 60] [--json FILE]

Cases: *early_answering*, the requests of that probe about written chains; *levels*, a tree of random tokens that
branches at four depths, whose inner nodes are asked about too, with candidates of several tokens; *sampled*, the texts
of an engine's own sampling. Ways: *tree*; *cut*, in passes of few nodes, which continue from one another; *again*, from
last hidden states that were kept of the same call; *hot*, from what was kept of the same prompts without their last
tokens; *evicted*, after other requests took most of its place; *after sampling*.

Judged by the largest difference in nats. In low precision any two orders of sums differ by far more than in float32, so
the median must also stay within twice the noise: the larger median difference of two other plain ways, eager attention
and padded batches. A way that did not do what its name says (nothing was reused, nothing evicted) fails, and so does a
case on which a *wrong mask*, where nodes also see earlier branches, would not have been noticed.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
import torch
from measure import load_engine, parser, write
from rich.console import Console
from rich.table import Table
from scorers import padded
from texts import mixed_requests, probe_requests, shard, written_chains

from cotfaith.workers.engines.next_tokens import totals, wanted_tokens
from cotfaith.workers.engines.protocol import ScoreRequest
from cotfaith.workers.engines.transformers.attention import attention_by, without_cudnn_attention
from cotfaith.workers.engines.transformers.engine import TransformersEngine
from cotfaith.workers.engines.transformers.prefix_tree import distinct_tokens, pack
from cotfaith.workers.engines.transformers.tree_passes import run_passes

LARGEST = {"float32": 1e-4, "bfloat16": 1.0, "float16": 0.2}
"""The most nats by which one log-probability may differ."""
NOISES, LEAST_NOISE = 2.0, 1e-3
"""Low precision: the most that the median may be, in medians of the noise; and nats that are never too many."""
DEPTHS, BRANCHES = 4, 3
CANDIDATES = ((5,), (6, 7, 8), (6, 7), (6, 9), (5, 5))
"""One is a prefix of another."""
SMALL_PASS = 200
"""Nodes."""
WHOLE = 10**9
"""Nodes of a pass that holds any tree."""
SPARE = 1.1
"""The place for what is kept, as a multiple of what the larger case needs."""
SAMPLED_TOKENS = 24

Score = tuple[float, ...]
Requests = Sequence[ScoreRequest]


@dataclass(frozen=True)
class Checked:
    """What a way gave, and whether it did what its name says."""

    scores: Sequence[Score]
    computed: int
    reused: int
    claim: str
    held: bool


def levels(run: int, vocab_size: int) -> list[ScoreRequest]:
    """Return requests about every place where a random tree branches, and about its ends; ``run``: tokens between."""
    rng = np.random.default_rng(0)
    ends: list[tuple[int, ...]] = [()]
    prompts: list[tuple[int, ...]] = []
    for depth in range(DEPTHS):
        grown = [end for end in ends for _ in range(BRANCHES if depth else 1)]
        counts = rng.integers(run // 2, run + 1, len(grown)).tolist()
        ends = [end + tuple(rng.integers(0, vocab_size, n).tolist()) for end, n in zip(grown, counts, strict=True)]
        prompts += ends
    return [ScoreRequest(prompt, CANDIDATES[: 1 + i % len(CANDIDATES)]) for i, prompt in enumerate(prompts)]


def depth_of(prompts: Sequence[Sequence[int]]) -> int:
    """Return the levels of the tree over ``prompts``: one more than the most branches on the way to an end."""
    after: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for prompt in prompts:
        for n in range(1, len(prompt)):
            after[tuple(prompt[:n])].add(prompt[n])
    return 1 + max(sum(len(after[tuple(p[:n])]) > 1 for n in range(1, len(p))) for p in prompts)


def plain(model: Any, requests: Requests) -> list[Score]:
    """Score one prompt and candidate a pass, by the definition: the sum over a candidate's tokens."""
    asked: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    for i, request in enumerate(requests):
        for j, candidate in enumerate(request.candidates):
            asked[request.prompt + candidate[:-1]].append((i, j))
    scores = [[0.0] * len(request.candidates) for request in requests]
    with torch.inference_mode():
        for ids, places in asked.items():
            logprobs_NV = _last_logprobs(model, ids, max(len(requests[i].candidates[j]) for i, j in places))
            for i, j in places:
                candidate = requests[i].candidates[j]
                own_NV = logprobs_NV[len(logprobs_NV) - len(candidate) :]
                scores[i][j] = float(sum(own_NV[n, token].item() for n, token in enumerate(candidate)))
    return [tuple(row) for row in scores]


def _last_logprobs(model: Any, ids: Sequence[int], count: int) -> torch.Tensor:
    tokens_1T = torch.tensor([ids], device=model.device)
    logits_1NV: torch.Tensor = model(input_ids=tokens_1T, use_cache=False, logits_to_keep=count).logits
    return logits_1NV[0].float().log_softmax(-1)


def with_wrong_mask(model: Any, requests: Requests) -> list[Score]:
    """Score through a tree whose nodes also see the branches before theirs."""
    wanted = wanted_tokens(requests)
    prefixes = list(wanted)
    (tree,) = pack(prefixes, WHOLE)
    wrong = replace(tree, end_C=np.full_like(tree.end_C, len(tree.end_C)))
    with torch.inference_mode():
        (result,) = run_passes(model, frozenset(signature(model.forward).parameters), [wrong])
        logprobs_NV = result.logits_NV.float().log_softmax(-1)
    table = {
        prefixes[index]: {token: logprobs_NV[row, token].item() for token in wanted[prefixes[index]]}
        for index, row in result.row.items()
    }
    return totals(requests, table)


def gaps(ours: Sequence[Score], other: Sequence[Score]) -> dict[str, float]:
    """Return the largest and the median difference in nats; a score that is no number is infinitely far off."""
    apart = np.abs(np.concatenate([np.subtract(a, b) for a, b in zip(ours, other, strict=True)]))
    apart = np.where(np.isfinite(apart), apart, np.inf)
    return {"largest_nats": float(apart.max()), "median_nats": float(np.median(apart))}


def judge(dtype: str, reference: Sequence[Score], ways: dict[str, Checked], noise: dict[str, Any], wrong: Any) -> Any:
    """Return a case's differences, with what they may be, and whether all is as it should be."""
    allowed = {"largest_nats": LARGEST[dtype], "median_nats": LARGEST[dtype]}
    floor = {name: gaps(scores, reference) for name, scores in noise.items()}
    if dtype != "float32":
        allowed["median_nats"] = NOISES * max(LEAST_NOISE, *(gap["median_nats"] for gap in floor.values()))
    found = {name: _way(way, gaps(way.scores, reference), allowed) for name, way in ways.items()}
    control = gaps(wrong, reference)
    return {
        "allowed": allowed,
        "ways": found,
        "noise": floor,
        "wrong_mask": {**control, "noticed": not _within(control, allowed)},
        "equal": all(way["equal"] for way in found.values()) and not _within(control, allowed),
    }


def _way(way: Checked, apart: dict[str, float], allowed: dict[str, float]) -> dict[str, Any]:
    work = {"computed": way.computed, "reused": way.reused, "claim": way.claim, "held": way.held}
    return {**apart, **work, "equal": _within(apart, allowed) and way.held}


def _within(apart: dict[str, float], allowed: dict[str, float]) -> bool:
    return all(apart[key] <= allowed[key] for key in allowed)


def counted(engine: TransformersEngine, requests: Requests, claim: str, held: Callable[[int, int], bool]) -> Checked:
    """Score; ``held``: whether the claim holds, by the positions computed and reused."""
    before = engine.usage()
    scores = engine.score(requests)
    after = engine.usage()
    computed, reused = after.computed_tokens - before.computed_tokens, after.reused_tokens - before.reused_tokens
    return Checked(scores, computed, reused, claim, held(computed, reused))


class Exactness:
    """The cases, and the ways to score them, with one engine in memory at a time."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        work = shard(options.model, options.chains)
        early = probe_requests(work, written_chains(work, options.steps), "early_answering")
        self.engine = load_engine(options)
        self.config = self.engine.model.config.get_text_config()
        self.cases: dict[str, Requests] = {
            "levels": levels(options.run, self.config.vocab_size),
            "early_answering": early,
        }
        self.sampled: list[ScoreRequest] = []
        self.place = 0
        """Tokens that may be kept: either case fits, both do not."""

    def measure(self) -> dict[str, Any]:
        """Return each case's differences."""
        ways = {name: {"tree": self._tree(requests)} for name, requests in self.cases.items()}
        self.engine = self._keeping()
        self._kept(ways)
        ways["sampled"] = {"after sampling": self._after_sampling()}
        return {name: self._judged(requests, ways[name]) for name, requests in self._all().items()}

    def _all(self) -> dict[str, Requests]:
        return {**self.cases, "sampled": self.sampled}

    def _tree(self, requests: Requests) -> Checked:
        distinct = distinct_tokens(list(wanted_tokens(requests)))
        claim = f"each of {distinct} distinct tokens is computed once"
        return counted(self.engine, requests, claim, lambda computed, reused: (computed, reused) == (distinct, 0))

    def _keeping(self) -> TransformersEngine:
        """Load the engine again, with passes of few nodes and place for either case."""
        del self.engine
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        config = self.config
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        per_token = 2 * config.num_hidden_layers * config.num_key_value_heads * width + config.hidden_size
        size = per_token * getattr(torch, self.options.dtype).itemsize
        distinct = max(distinct_tokens(list(wanted_tokens(requests))) for requests in self.cases.values())
        self.place = int(SPARE * distinct)
        return load_engine(self.options, token_budget=SMALL_PASS, kept_gb=self.place * size / 1e9)

    def _kept(self, ways: dict[str, dict[str, Checked]]) -> None:
        (first, levels_), (second, early) = self.cases.items()
        for name, requests, others in ((first, levels_, early), (second, early, levels_)):
            self.engine.forget()
            cut = counted(self.engine, requests, "in several passes", lambda computed, _: computed > SMALL_PASS)
            whole = counted(self.engine, requests, "nothing is computed", lambda computed, _: computed == 0)
            self.engine.forget()
            self.engine.score([replace(r, prompt=r.prompt[:-1], candidates=r.candidates[:1]) for r in requests])
            hot = counted(self.engine, requests, "most is reused", lambda computed, reused: reused > computed > 0)
            self.engine.score(others)
            more = f"more is computed than the {hot.computed} tokens of the call before"
            gone = counted(self.engine, requests, more, lambda computed, _, hot=hot: computed > hot.computed)  # type: ignore[misc]
            ways[name] |= {"cut": cut, "again": whole, "hot": hot, "evicted": gone}

    def _after_sampling(self) -> Checked:
        self.engine.forget()
        exactly = {"max_tokens": SAMPLED_TOKENS, "min_tokens": SAMPLED_TOKENS, "stop": ()}
        all_requests = [replace(r, **exactly) for r in mixed_requests(self.options.model, self.options.rows, 1.0)]
        lengths = np.cumsum([len(r.prompt) + SAMPLED_TOKENS for r in all_requests])
        requests = all_requests[: max(1, int((lengths <= self.place).sum()))]
        texts = [r.prompt + g.tokens for r, g in zip(requests, self.engine.generate(requests), strict=True)]
        cut = [text[: len(text) - n] for text in texts for n in (0, SAMPLED_TOKENS // 2)]
        self.sampled = [ScoreRequest(text, CANDIDATES) for text in cut]
        prompts = distinct_tokens([r.prompt for r in requests])
        claim = f"more is reused than the {prompts} tokens of the prompts"
        return counted(self.engine, self.sampled, claim, lambda _, reused: reused > prompts)

    def _judged(self, requests: Requests, ways: dict[str, Checked]) -> dict[str, Any]:
        model = self.engine.model
        noise = {"padded batches": padded(model, requests, self.options.rows)}
        with attention_by(model, "eager"):
            noise["eager attention"] = plain(model, requests)
        judged = judge(self.options.dtype, plain(model, requests), ways, noise, with_wrong_mask(model, requests))
        prompts = [r.prompt for r in requests]
        return {"requests": len(requests), "levels": depth_of(prompts), **judged}


def show(cases: dict[str, Any], console: Console) -> None:
    """Print each way's differences, with what they may be."""
    table = Table("case", "levels", "way", "largest", "allowed", "median", "allowed", "computed", "reused", "")
    for name, case in cases.items():
        allowed = case["allowed"]
        for way, found in {**case["ways"], **case["noise"], "wrong mask": case["wrong_mask"]}.items():
            numbers = [f"{x[key]:.1e}" for key in ("largest_nats", "median_nats") for x in (found, allowed)]
            work = [str(found.get(key, "")) for key in ("computed", "reused")]
            table.add_row(name, str(case["levels"]), way, *numbers, *work, _verdict(found))
    console.print(table)


def _verdict(found: dict[str, Any]) -> str:
    if "noticed" in found:
        return "noticed" if found["noticed"] else "NOT NOTICED"
    if "equal" not in found:
        return "noise"
    if not found["held"]:
        return f"NOT SO: {found['claim']}"
    return "equal" if found["equal"] else "NOT EQUAL"


def run(options: argparse.Namespace, console: Console) -> bool:
    """Compare, print and write; return whether all is equal."""
    exactness = Exactness(options)
    with without_cudnn_attention():  # slow on lengths that it has not seen, and here most are new
        cases = exactness.measure()
    show(cases, console)
    equal = all(case["equal"] for case in cases.values())
    console.print(f"{'equal' if equal else 'NOT EQUAL'}, in {options.dtype}; differences in nats", highlight=False)
    write(options, exactness.engine, {"equal": equal, "cases": cases})
    return equal


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__, rows=8)
    made.add_argument("--run", type=int, default=60, help="the most tokens between two branches of the case levels")
    made.add_argument("--steps", type=int, default=12, help="steps of a written chain")
    made.add_argument("--chains", type=int, default=2)
    options = made.parse_args(arguments)
    if options.run < 2:
        made.error(f"--run {options.run}: expected at least 2 tokens between two branches")
    return options


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=160)) else 1)
