"""Finished or unfinished runs -> the labelled chains of real models, one file a task: GENERATOR.TASK.jsonl.

    python benchmarks/labelled_chains/collect.py RUN... [--out benchmarks/labelled_chains/chains]

and probe.yaml beside that folder, a spec that probes each model's own chains behind the examples that it was shown.

RUN: folders of runs of the specs in this folder. Only questions of our own generators are taken, so that no text is
anyone else's. The files are what ``cotfaith validate --chains`` reads: with the labels of ``workers/labels/chains.py``,
and with what they rest on (setting, hint, bottlenecks). Left out and counted are chains without a label, and those that
say the same to the same question as one before. The same runs give the same files.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from cotfaith.cluster.storage.read import load_run, open_run_store, read_tables
from cotfaith.cluster.validation.usable import WholeChain, whole_chains
from cotfaith.schemas.errors import CotfaithError, InputError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.workers.labels.chains import label_chain

HERE = Path(__file__).parent
OUT = HERE / "chains"
PROBES = ["no_cot", "early_answering", "filler_tokens", "step_deletion", "own_answer"]
ABOUT = """# Probes the chains of this folder, each by the model that wrote it. Written by collect.py; from the root:
#   cotfaith validate benchmarks/labelled_chains/probe.yaml --out runs/labelled
"""
WORDS = {True: "faithful", False: "unfaithful", None: ""}
Row = dict[str, Any]


def labelled(run: RunRecord, one: WholeChain) -> Row | None:
    """Return the chain's row, or None if nothing is known about it."""
    usable, item, chain = one
    truth = label_chain(item, chain)
    if truth is None:
        return None
    few_shot = next(task.few_shot for task in run.spec.tasks if task.name == usable.task)
    hint = {"hint": item.hint.answer, "hint_style": item.hint.style} if item.hint else {}
    choices = {"choices": list(item.choices)} if item.choices else {}
    steps = [{"text": text, "label": WORDS[label]} for text, label in zip(chain.steps, truth.steps, strict=True)]
    return {
        "id": f"{usable.model}-{item.id}-seed{run.spec.seed}-{chain.index}",
        "author": usable.model,
        "few_shot": f"{Path(few_shot['file']).name}, {few_shot['k']}" if few_shot else None,
        "setting": item.setting,
        "question": item.question,
        **choices,
        "gold": item.gold,
        **hint,
        **({} if hint else {"bottlenecks": list(item.bottlenecks)}),
        "steps": steps,
        "answer": chain.answer.value,
        "label": WORDS[truth.faithful],
        "reason": truth.reason,
    }


def chains_of(place: str) -> Iterator[tuple[str, str, Row | None]]:
    """Yield the file's name, the model and the row (None: no label) of each whole chain of a run."""
    store = open_run_store(place)
    run = load_run(store)
    assert run is not None, "a run's store has a run"
    foreign = [task.name for task in run.spec.tasks if task.generator is None]
    if foreign:
        raise InputError(f"{place}: task {foreign[0]!r} has no generator; only our own questions can be given away.")
    names = {task.name: f"{task.generator}.{task.name}" for task in run.spec.tasks}
    tables = read_tables(store)
    for one in whole_chains(tables["items"], tables["chains"]):
        yield names[one.usable.task], one.usable.model, labelled(run, one)


def probe_spec(rows: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Return the spec that asks about the chains; ``rows``: a file's name without its ending -> its rows."""
    sampled = yaml.safe_load((HERE / "spec.yaml").read_text())
    models = {model["id"]: model for model in sampled["models"]}
    counts = Counter((name, row["author"], row["few_shot"] or "") for name, own in rows.items() for row in own)
    tasks = []
    for (name, author, few_shot), n in sorted(counts.items()):
        about = {"name": f"{name}.{author}", "file": f"benchmarks/labelled_chains/chains/{name}.jsonl"}
        file, _, k = few_shot.partition(", ")
        shown = {"few_shot": {"file": f"benchmarks/labelled_chains/examples/{file}", "k": int(k)}} if few_shot else {}
        own = {"adapter": "labelled_chains", "author": author, "models": [author], "n": n}
        tasks.append(about | own | shown)
    authors = sorted({author for _, author, _ in counts})
    return {
        "seed": 2,
        "models": [models[author] for author in authors],
        "tasks": tasks,
        "sampling": sampled["sampling"],
        "probes": PROBES,
        "output": {"path": "runs/labelled", "max_failed_share": 0.5},
    }


def gathered(places: Sequence[str]) -> tuple[dict[str, list[Row]], Counter[tuple[str, str, str]]]:
    """Return the rows of each file, and how many chains of each model and file have which label."""
    rows: dict[str, list[Row]] = defaultdict(list)
    counts: Counter[tuple[str, str, str]] = Counter()
    seen = set()
    for task, model, row in (one for place in places for one in chains_of(place)):
        if row is None:
            counts[model, task, "no label"] += 1
            continue
        text = (model, row["question"], str(row["steps"]))
        if text in seen:
            counts[model, task, "again"] += 1
            continue
        seen.add(text)
        counts[model, task, row["label"]] += 1
        rows[task].append(row)
    return rows, counts


def main() -> None:
    """Write the files, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    try:
        rows, counts = gathered(args.runs)
    except CotfaithError as error:
        sys.exit(f"Error: {error}")
    args.out.mkdir(parents=True, exist_ok=True)
    for task, own in rows.items():
        own.sort(key=lambda row: row["id"])
        (args.out / f"{task}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in own))
    text = yaml.safe_dump(probe_spec(rows), sort_keys=False, width=120)
    (args.out.parent / "probe.yaml").write_text(ABOUT + text)
    _show(counts)


def _show(counts: Counter[tuple[str, str, str]]) -> None:
    kinds = ("faithful", "unfaithful", "no label", "again")
    table = Table("model", "task", *kinds)
    for model, task in sorted({key[:2] for key in counts}):
        table.add_row(model, task, *(str(counts[model, task, word]) for word in kinds))
    totals = (str(sum(n for key, n in counts.items() if key[2] == word)) for word in kinds)
    table.add_section()
    table.add_row("all", "", *totals)
    Console().print(table)


if __name__ == "__main__":
    main()
