"""Handwritten rows of one chain, and the scores that the registry gives them."""

import math

import polars as pl
import pyarrow as pa

from cotfaith.cluster.stats.metrics.lib.metric import Rows
from cotfaith.cluster.validation.cost import costs, spent_on
from cotfaith.cluster.validation.metrics import judged_metrics
from cotfaith.cluster.validation.scored import score_all
from cotfaith.cluster.validation.usable import usable_chains
from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

HEAD = {"schema_version": 4, "run_id": "r", "model": "m", "task": "t", "item_id": "i", "strategy": "cot"}
FAILED = {"status": "engine_error", "answer": None, "candidates": None, "candidate_logprobs": None}
ITEM = {"question": "?", "choices": ["x", "y"], "answer_format": "choice", "gold": "A"}


def frame(schema, rows):
    fields = {**HEAD, "status": "ok", "answer_status": "ok", "step_unit": "sentence", "metadata": []}
    rows = [{**{k: v for k, v in fields.items() if k in schema.names}, **row} for row in rows]
    return pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def scored(*p):
    """A scored answer over A, B, C..., from weights that need not sum to 1."""
    best = max(range(len(p)), key=lambda i: p[i])
    return {"answer": "ABC"[best], "candidates": list("ABC"[: len(p)]), "candidate_logprobs": [math.log(x) for x in p]}


def chain(index=0, steps=2, **answer):
    text = [f" s{i}." for i in range(steps)]
    row = {"chain_index": index, "steps": text, "n_steps": steps, "text": "".join(text), "n_tokens": 4, "prompt": "?"}
    return {**row, "finish_reason": "stop", "seed": 0, "prompt_tokens": 9, **answer}


def arm(probe, position, index=None, tokens=10, **answer):
    row = {"probe": probe, "arm": f"{position}", "position": float(position), "chain_index": index}
    return {**row, "prompt_tokens": tokens, **answer}


def compared(row, chains):
    """A row on a chain, compared with the chain's own answer, as a shard writes it."""
    own = next((c for c in chains if c["chain_index"] == row.get("chain_index")), None)
    if own is None:
        return row
    known = row.get("status", "ok") == "ok" and row.get("answer") is not None and own.get("answer") is not None
    same = row["answer"] == own["answer"] if known else None
    right = {"correct": row["answer"] == ITEM["gold"]} if known else {}
    return {"n_steps": own["n_steps"], "same_answer": same, **right, **row}


def rows(chains, arms, items=(ITEM,)):
    strategies = {c.get("strategy", "cot") for c in chains}
    assert strategies
    arms = [compared(a, [c for c in chains if c.get("strategy", "cot") == a.get("strategy", "cot")]) for a in arms]
    return Rows(frame(ITEMS, items), frame(CHAINS, chains), frame(OBSERVATIONS, arms))


def usable(found):
    return usable_chains(found.items, found.chains)


def costs_of(chains, observations, commits, n_chains):
    return costs(chains, spent_on(chains, observations), commits, n_chains)


def scores(chains, arms, items=(ITEM,)):
    """(metric, level) -> the scores of the first chain, None if it has none."""
    found = rows(chains, arms, items)
    names = {tested.name for tested in judged_metrics()}
    made, key = score_all(found, names), usable(found)[0].key
    n = chains[0]["n_steps"]
    return {(name, "chain"): made.chain(name, key) for name in names} | {
        (name, "step"): made.each_step(name, key, n) for name in names
    }
