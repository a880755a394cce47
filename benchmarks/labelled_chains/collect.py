"""Finished or unfinished runs -> the labelled chains of real models, one file a task.

    python benchmarks/labelled_chains/collect.py RUN... [--out benchmarks/labelled_chains/chains]

RUN: folders of runs of the specs in this folder. Only questions of our own generators are taken, so that no text is
anyone else's. The files are what ``cotfaith validate --chains`` reads: with the labels of ``workers/labels/chains.py``,
and with what they rest on (setting, hint, bottlenecks). Chains without a label are left out and counted. The same runs
give the same files.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.storage.read import load_run, open_run_store, read_tables
from cotfaith.cluster.validation.usable import WholeChain, whole_chains
from cotfaith.schemas.errors import CotfaithError, InputError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.workers.labels.chains import label_chain

OUT = Path(__file__).parent / "chains"
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
        "id": f"{usable.model}-{usable.task}-{item.id}-{chain.index}",
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
    """Yield the task, the model and the row (None: no label) of each whole chain of a run."""
    store = open_run_store(place)
    run = load_run(store)
    assert run is not None, "a run's store has a run"
    foreign = [task.name for task in run.spec.tasks if task.generator is None]
    if foreign:
        raise InputError(f"{place}: task {foreign[0]!r} has no generator; only our own questions can be given away.")
    tables = read_tables(store)
    for one in whole_chains(tables["items"], tables["chains"]):
        yield one.usable.task, one.usable.model, labelled(run, one)


def main() -> None:
    """Write the files, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    rows: dict[str, list[Row]] = defaultdict(list)
    counts: Counter[tuple[str, str, str]] = Counter()
    try:
        for place in args.runs:
            for task, model, row in chains_of(place):
                counts[model, task, row["label"] if row else "none"] += 1
                rows[task].extend([row] if row else [])
    except CotfaithError as error:
        sys.exit(f"Error: {error}")
    args.out.mkdir(parents=True, exist_ok=True)
    for task, own in sorted(rows.items()):
        file = args.out / f"{task}.jsonl"
        own.sort(key=lambda row: row["id"])
        if own:
            file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in own))
        else:
            file.unlink(missing_ok=True)
    _show(counts)


def _show(counts: Counter[tuple[str, str, str]]) -> None:
    table = Table("model", "task", "faithful", "unfaithful", "no label")
    for model, task in sorted({key[:2] for key in counts}):
        table.add_row(model, task, *(str(counts[model, task, word]) for word in ("faithful", "unfaithful", "none")))
    totals = (str(sum(n for key, n in counts.items() if key[2] == word)) for word in ("faithful", "unfaithful", "none"))
    table.add_section()
    table.add_row("all", "", *totals)
    Console().print(table)


if __name__ == "__main__":
    main()
