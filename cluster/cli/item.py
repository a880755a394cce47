"""One item in the terminal: its question, every chain on it, and every arm's answer.

In: ITEMS, CHAINS and OBSERVATIONS rows and an item's id. Out: text on a rich console. Model output is untrusted: all of
it passes through ``terminal.py``.
"""

from difflib import get_close_matches
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cotfaith.cluster.terminal import plain_text, safe_text
from cotfaith.schemas.errors import InputError
from cotfaith.schemas.records import CHOICE_LABELS

Row = dict[str, Any]


def show(items: pl.DataFrame, chains: pl.DataFrame, observations: pl.DataFrame, item_id: str, console: Console) -> None:
    """Print ``item_id`` with all models, chains and arms; raise ``InputError`` if the run has no such item."""
    found = items.filter(pl.col("item_id") == item_id).sort("task", "model")
    if found.is_empty():
        raise InputError(_unknown(item_id, items["item_id"].unique().sort().to_list()))
    seen: set[str] = set()
    for item in found.to_dicts():
        if item["task"] not in seen:
            _print_item(item, console)
        seen.add(item["task"])
        here = [pl.col(name) == item[name] for name in ("model", "task", "item_id")]
        for chain in chains.filter(*here).sort("chain_index").to_dicts():
            _print_chain(chain, console)
        _print_arms(observations.filter(*here), console)


def _unknown(item_id: str, known: list[str]) -> str:
    near = get_close_matches(item_id, known, n=3, cutoff=0.4) or known[:3]
    hint = f" Nearest: {', '.join(near)}." if near else " The run has no items yet."
    return f"No item {item_id!r} among the {len(known)} items of this run.{hint}"


def _print_item(item: Row, console: Console) -> None:
    console.rule(f"[bold]{safe_text(item['task'])} · {safe_text(item['item_id'])}")
    console.print(Text(plain_text(item["question"])))
    for label, text in zip(CHOICE_LABELS, item["choices"] or [], strict=False):
        console.print(Text(f"  ({label}) {plain_text(text)}"))
    console.print(f"gold: [bold green]{safe_text(item['gold'])}[/]\n")


def _print_chain(chain: Row, console: Console) -> None:
    outcome = {True: "[green]right[/]", False: "[red]wrong[/]", None: f"[yellow]{safe_text(chain['status'])}[/]"}
    answer = f"answer [bold]{safe_text(chain['answer'])}[/] {outcome[chain['correct']]}"
    console.print(f"[bold]{safe_text(chain['model'])}[/] · chain {chain['chain_index']} · {answer}")
    for number, step in enumerate(chain["steps"] or [], start=1):
        console.print(Text(f"{number:>3}  {plain_text(step).strip()}"))
    if chain["error"]:
        console.print(f"[yellow]{safe_text(chain['error'])}[/]")
    console.print()


def _print_arms(observations: pl.DataFrame, console: Console) -> None:
    ordered = observations.sort("probe", "chain_index", "position", "arm", nulls_last=False)
    for (probe, index), arms in ordered.group_by(["probe", "chain_index"], maintain_order=True):
        where = "" if index is None else f" · chain {index}"
        table = Table(title=f"{safe_text(probe)}{where}", title_justify="left")
        for name in ("arm", "answer", "same?", "correct?", "p(gold)", "status"):
            table.add_column(name)
        for row in arms.to_dicts():
            table.add_row(*_cells(row))
        console.print(table)


def _cells(row: Row) -> list[str]:
    yes_no = {True: "yes", False: "no", None: "-"}
    p_gold = "-" if row["p_gold"] is None else f"{row['p_gold']:.3f}"
    same, correct = yes_no[row["same_answer"]], yes_no[row["correct"]]
    return [safe_text(row["arm"]), safe_text(row["answer"]), same, correct, p_gold, safe_text(row["status"])]
