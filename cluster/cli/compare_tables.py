"""What ``cotfaith compare`` prints: a table of figures for each task and strategy, then flips; or plain data.

In: a ``Comparison``. Out: tables for a rich console, or JSON values. Answers are untrusted text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table

from cotfaith.cluster.cli.consoles import say
from cotfaith.cluster.cli.items import clipped
from cotfaith.cluster.cli.tables import new_table
from cotfaith.cluster.terminal import safe_text
from cotfaith.cluster.verdicts.comparing.comparison import Comparison
from cotfaith.cluster.verdicts.comparing.differences import Difference
from cotfaith.cluster.verdicts.comparing.flips import KINDS
from cotfaith.cluster.verdicts.comparing.line import Line
from cotfaith.cluster.verdicts.comparing.matched import Matched
from cotfaith.schemas.variants import PLAIN

_HEADS = ["items", "before", "after", "difference\n95% interval", "p\n(Holm)"]
_AT_SKILL = "at matched\nskill"


def print_comparison(found: Comparison, console: Console, limit: int) -> None:
    """Print the tables, and at most ``limit`` flips."""
    before, after = found.pair
    say(f"Before: {before.name}", console)
    say(f"After:  {after.name}", console)
    for (task, strategy), lines in groupby(found.lines, key=lambda line: (line.task, line.strategy)):
        console.print()
        console.print(_figures(task, strategy, list(lines), found.matched))
    console.print()
    _print_flips(found, console, limit)


def _figures(task: str, strategy: str, lines: Sequence[Line], matched: Mapping[Any, Matched]) -> Table:
    own = [one for key, one in matched.items() if key[:2] == (task, strategy)]
    heads = [*_HEADS, *([_AT_SKILL] if own else [])]
    table = new_table(f"{safe_text(task)} · {strategy}: after minus before", ["figure"], heads)
    for line in lines:
        table.add_row(safe_text(_named(line)), *_cells(line), *([_change(line.matched)] if own else []))
    table.caption = "\n".join(map(_about, own)) or "Skill is not known: nothing was answered without a chain."
    return table


def _named(line: Line) -> str:
    more = [] if line.variant == PLAIN else [line.variant]
    more += [] if line.channel is None else [line.channel]
    return "\n".join([line.name, *more])


def _cells(line: Line) -> list[str]:
    own = line.all
    return [f"{own.n_items:,}", _number(own.a), _number(own.b), _change(own), _p(line.p_holm)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:z.2f}"


def _change(own: Difference | None) -> str:
    if own is None or own.value is None:
        return "-"
    ends = "" if own.low is None else f"\n{own.low:+z.2f} to {own.high:+z.2f}"
    return f"{own.value:+z.2f}{ends}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<.001" if value < 0.001 else f"{value:.3f}"


def _about(one: Matched) -> str:
    means = "" if one.a is None else f" Its means there are {_number(one.a)} and {_number(one.b)}."
    return (
        f"Matched skill: {len(one.items)} of {one.n_both} items, on which {one.by} is alike under both models.{means}"
    )


def _print_flips(found: Comparison, console: Console, limit: int) -> None:
    """Print how many chains flipped in each way, and some of them."""
    chains = sum(one.chains for one in found.counts)
    if found.flips.is_empty():
        say(f"No flips among {chains:,} chains with an answer under both models.", console)
        return
    console.print(_kinds(found, chains))
    shown = found.flips.head(limit)
    if len(shown):
        console.print(_listed(shown.to_dicts()))
    if len(shown) < len(found.flips):
        say(f"{len(found.flips) - len(shown):,} more flips: --limit, or all with --json", console)


def _kinds(found: Comparison, chains: int) -> Table:
    table = new_table(
        f"Flips among {chains:,} chains with an answer under both", ["task", "variant", "flip"], ["chains"]
    )
    names = ["task", "variant", "kind"]
    for task, variant, kind, n in found.flips.group_by(names, maintain_order=True).len().sort(names).iter_rows():
        table.add_row(safe_text(task), safe_text(variant), KINDS[kind], f"{n:,}")
    return table


def _listed(rows: Sequence[dict[str, Any]]) -> Table:
    table = new_table("Flips", ["item", "variant", "flip", "before", "after", "gold", "hint"], [])
    for row in rows:
        item = row["item_id"] if row["chain_index"] == 0 else f"{row['item_id']}, chain {row['chain_index']}"
        by = "" if row["reader"] is None else f"\n({row['reader']}, {row['question']})"
        answers = (clipped(row[name]) for name in ("answer_a", "answer_b", "gold", "target"))
        table.add_row(*map(safe_text, (item, row["variant"], f"{KINDS[row['kind']]}{by}", *answers)))
    return table


def comparison_data(found: Comparison) -> dict[str, Any]:
    """Return all of it as plain data."""
    names = ("before", "after")
    sides = {
        name: {"run": side.run.name, "run_id": side.run.record.run_id, "model": side.model}
        for name, side in zip(names, found.pair, strict=True)
    }
    flips = [row | {"before": row.pop("answer_a"), "after": row.pop("answer_b")} for row in found.flips.to_dicts()]
    tasks = [
        {"task": one.task, "items_before": one.a, "items_after": one.b, "items": one.both, "chains": one.chains}
        for one in found.counts
    ]
    lines = [_line_data(line) for line in found.lines]
    return (
        sides
        | {"tasks": tasks, "matched": list(_matched_data(found)), "figures": lines, "flips": flips}
        | {"warnings": list(found.warnings)}
    )


def _matched_data(found: Comparison) -> Iterator[dict[str, Any]]:
    for (task, strategy, channel), one in found.matched.items():
        yield {"task": task, "strategy": strategy, "channel": channel or None, "by": one.by} | {
            "items": len(one.items),
            "of": one.n_both,
            "before": one.a,
            "after": one.b,
        }


def _line_data(line: Line) -> dict[str, Any]:
    names = ("task", "strategy", "variant", "channel", "metric", "method")
    at_skill = None if line.matched is None else _difference_data(line.matched)
    about = {name: getattr(line, name) for name in names}
    return about | _difference_data(line.all) | {"p_holm": line.p_holm, "at_matched_skill": at_skill}


def _difference_data(own: Difference) -> dict[str, Any]:
    data = asdict(own)
    return {"before": data.pop("a"), "after": data.pop("b"), "difference": data.pop("value")} | {
        "ci_low": data.pop("low"),
        "ci_high": data.pop("high"),
        **data,
    }
