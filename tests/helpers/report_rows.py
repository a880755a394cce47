"""Rows of invented runs, for tests of the report; ``EVIL`` is a text that must do nothing."""

import random

import polars as pl
import pyarrow as pa

from cotfaith.schemas.tables import CHAINS, ITEMS, OBSERVATIONS

EVIL = "<script>alert(1)</script> [red]x[/] \x1b[31m \u202eCBA"


def frame(schema, rows):
    fill = {"schema_version": 1, "run_id": "r1", "strategy": "cot", "metadata": [], "answer_status": "ok"}
    rows = [{**{k: v for k, v in fill.items() if k in schema.names}, **row} for row in rows]
    return pl.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def tables(models=("m",), tasks=("t",), n=8, evil=""):
    rng = random.Random(3)
    items, chains, observations = [], [], []
    for model in models:
        for task in tasks:
            for i in range(n):
                key = {"model": model, "task": task, "item_id": f"i{i:03}"}
                question = f"Tom has {i} apples and buys {i + 2} more. How many does he have? {evil}"
                choices = [f"{2 * i + j} {evil}" for j in range(4)]
                form = {"answer_format": "choice", "gold": "C", "difficulty": float(i % 3)}
                items.append({**key, "question": question, "choices": choices, **form})
                failed, steps = i % 8 == 5, rng.randint(1, 6)
                answers = [rng.choice("ABCC") for _ in range(steps)] + [rng.choice("CCCB")]
                text = [
                    f"Step {k + 1}: there are {i} and then {i + k}, so we add the two numbers. {evil}"
                    for k in range(steps)
                ]
                good = {"answer": answers[-1], "correct": answers[-1] == "C"}
                status = {"status": "truncated", "error": evil or None} if failed else {"status": "ok", **good}
                chains.append(
                    {**key, "chain_index": 0, "steps": text, "text": "".join(text), "n_steps": steps, **status}
                )
                none = rng.choice("ABC")
                arms = [("no_cot", "no_cot", None, 0.0, none)]
                arms += [("filler_tokens", f"m={m}", None, float(m), rng.choice("ABCC")) for m in (5, 10, 15)]
                arms += [("early_answering", f"k={k}", 0, float(k), a) for k, a in enumerate(answers)] * (not failed)
                for probe, arm, index, position, a in arms:
                    same = a == answers[-1] if index == 0 else None
                    at = {"probe": probe, "arm": arm, "chain_index": index, "position": position}
                    said = {"answer": a, "correct": a == "C", "p_gold": rng.random(), "same_answer": same}
                    observations.append({**key, **at, "status": "ok", "n_steps": steps, **said})
    return frame(ITEMS, items), frame(CHAINS, chains), frame(OBSERVATIONS, observations)
