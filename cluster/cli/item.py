"""One item in the terminal: its question, a chain on it, and what each arm did to it.

In: ITEMS, CHAINS and OBSERVATIONS rows of one item. Out: text on a rich console, about a screen long unless more is
asked for. Model output is untrusted: all of it passes through ``terminal.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.console import Console
from rich.text import Text

from cotfaith.cluster.cli.arms import print_arms
from cotfaith.cluster.cli.fit import print_first
from cotfaith.cluster.cli.item_lines import KEY, Filters, item_lines
from cotfaith.cluster.cli.items import RIGHT, clipped, items_table, series
from cotfaith.cluster.stats.metrics.lib.words import Words
from cotfaith.cluster.terminal import plain_text, safe_text
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import CHOICE_LABELS

Row = dict[str, Any]
FIRST, LAST = 3, 2
"""The steps that are shown of a long chain."""
QUESTION, STEP = 480, 150
"""The most characters of a question and of a step."""


@dataclass(frozen=True)
class Shown:
    """How much of an item is shown."""

    full: bool = False
    """Every model, chain, step and arm, with whole texts."""
    chain: int | None = None
    """The only chain; None: the first, with a line for each of the others."""
    probes: Sequence[str] = ()
    """The only ones; empty: all."""
    prompt: bool = False
    """Also the prompt that the chain continues, and the texts after which arms asked for the answer."""


def print_item(
    tables: Mapping[str, pl.DataFrame], words: Mapping[str | None, Words], console: Console, shown: Shown
) -> None:
    """Print the item of the tables: one chain with its arms if one model is left, else a line for each model."""
    lines = list(item_lines(tables, Filters()))
    items = tables["items"].unique(["task"], maintain_order=True).to_dicts()
    for item in items if len(items) == 1 or shown.full else ():
        _print_question(item, console, shown.full)
    if len(lines) > 1 and not shown.full:
        probes = tables["observations"]["probe"].unique().sort()
        print_first(lambda n: items_table(lines[:n], probes), len(lines), console, "lines")
        console.print("One chain and its arms: --model, --task, --strategy, --variant; all: --full")
        return
    for line in lines:
        here = [pl.col(name).eq_missing(line.key[name]) for name in KEY]
        chains = tables["chains"].filter(*here).sort("chain_index").to_dicts()
        _print_chains(series(line), chains, tables["observations"].filter(*here), words, console, shown)


def _print_question(item: Row, console: Console, full: bool) -> None:
    console.print(Text(plain_text(f"{item['task']} · {item['item_id']}"), "bold"))
    console.print(Text(plain_text(_cut(item["question"] or "The question is not recorded.", QUESTION, full))))
    for label, text in zip(CHOICE_LABELS, item["choices"] or [], strict=False):
        console.print(Text(f"  ({label}) {plain_text(_cut(text, STEP, full))}"))
    console.print(f"gold: [bold green]{safe_text(item['gold'] or 'not known')}[/]\n")


def _print_chains(
    name: str,
    chains: Sequence[Row],
    observations: pl.DataFrame,
    words: Mapping[str | None, Words],
    console: Console,
    shown: Shown,
) -> None:
    wanted = [chain for chain in chains if shown.chain in (None, chain["chain_index"])]
    if not wanted and chains:
        known = ", ".join(str(chain["chain_index"]) for chain in chains)
        raise SpecError(f"--chain {shown.chain}: {name} has no such chain on this item. It has: {known}.")
    for place, chain in enumerate(wanted):
        _print_heading(name, chain, console)
        if place and not shown.full:
            continue
        _print_steps(chain, console, shown)
        index = pl.col("chain_index")
        own = observations.filter(index.is_null() | (index == chain["chain_index"]))
        kept = own.filter(pl.col("probe").is_in(list(shown.probes))) if shown.probes else own
        full = shown.full or bool(shown.probes)
        print_arms(chain, kept, words, console, full=full, texts=shown.prompt)
        console.print()
    if len(wanted) > 1 and not shown.full:
        console.print("Another chain: --chain N; all: --full")


def _print_heading(name: str, chain: Row, console: Console) -> None:
    answer = chain["status"] if chain["answer"] is None else f"answer {clipped(chain['answer'])}"
    sizes = (("n_steps", "steps"), ("n_tokens", "tokens"))
    lengths = [f"{chain[name]} {unit}" for name, unit in sizes if chain[name] is not None]
    about = ", ".join(lengths) or "no text"
    outcome = "" if chain["correct"] is None else f", {RIGHT[chain['correct']]}"
    channel = f" · {chain['channel']}" if chain.get("channel") else ""
    text = plain_text(f"{name} · chain {chain['chain_index']}{channel} · {answer}{outcome} · {about}")
    console.print(Text(text, "bold"))


def _print_steps(chain: Row, console: Console, shown: Shown) -> None:
    if shown.prompt:
        console.print(Text("Prompt, which the chain continues:", "dim"))
        console.print(Text(plain_text(chain["prompt"] or "not recorded")), soft_wrap=True)
        console.print(Text("Chain:", "dim"))
    steps = [(number, step.strip()) for number, step in enumerate(chain["steps"] or [], start=1)]
    left = 0 if shown.full else max(0, len(steps) - FIRST - LAST - 1)
    for number, step in steps[:FIRST] if left else steps:
        _print_step(number, step, console, shown.full)
    if left:
        console.print(f"     ... {len(steps) - FIRST - LAST} more steps, --full")
        for number, step in steps[-LAST:]:
            _print_step(number, step, console, shown.full)
    if not steps and chain["text"]:
        console.print(Text(plain_text(_cut(chain["text"], QUESTION, shown.full))))
    if chain["error"]:
        console.print(f"[yellow]{safe_text(chain['error'])}[/]")


def _print_step(number: int, step: str, console: Console, full: bool) -> None:
    console.print(Text(f"{number:>3}  {plain_text(_cut(step, STEP, full))}"))


def _cut(text: str, most: int, full: bool) -> str:
    return text if full or len(text) <= most else f"{text[:most].rstrip()} ... (--full)"
