"""The list of a run's items in the terminal, one line each.

In: ``ItemLine`` objects. Out: a table for a rich console. Texts of models and files are untrusted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from cotfaith.cluster.cli.item_lines import ItemLine, Row
from cotfaith.cluster.cli.tables import failed_text, new_table
from cotfaith.cluster.terminal import safe_text

MOST_CHARACTERS = 60
"""The longest answer that a line shows whole."""
SHORTEST = 4
RIGHT = {True: "right", False: "wrong", None: "-"}


def items_table(lines: Sequence[ItemLine], probes: Iterable[str]) -> Table:
    """Return a line per item: its gold, the answers of its chains, the probes that changed one, and what failed.

    Item, task and model are columns if they differ between lines, and else in the title. ``probes``: all that the run
    has; they are named by their first words, as far as these tell them apart.
    """
    about = [_about(line) for line in lines]
    names, differ = short_names(probes), [name for name in about[0] if len({one[name] for one in about}) > 1]
    same = [safe_text(about[0][name]) for name in about[0] if name not in differ and len(lines) > 1]
    heads = differ if len(lines) > 1 else list(about[0])
    if "item" in heads and all(one["item"].startswith(one["task"]) for one in about):
        heads = [name for name in heads if name != "task"]  # the item's id says it
    table = new_table(" · ".join(same), [*heads, "gold", "answer", "", "changed by"], [])
    table.add_column("not ok", overflow="fold")
    for line, one in zip(lines, about, strict=True):
        failed = failed_text(line.failed, "\n") or "-"
        shown = [*(one[name] for name in heads), clipped(line.gold), *_answers(line), _changed(line, names), failed]
        table.add_row(*map(safe_text, shown))
    return table


def _about(line: ItemLine) -> dict[str, str]:
    return {"item": line.key["item_id"], "task": line.key["task"], "model": series(line)}


def series(line: ItemLine) -> str:
    """Return the line's model, with its strategy and variant if they are not the plain ones."""
    more = [line.key["strategy"]] if line.key["strategy"] != "cot" else []
    more += [line.key["variant"]] if line.key["variant"] not in (None, "plain") else []
    return " · ".join([line.key["model"], *more])


def clipped(text: str | None, most: int = MOST_CHARACTERS) -> str:
    """Return ``text``, cut with a sign that it is; "-" for None."""
    if text is None:
        return "-"
    return text if len(text) <= most else f"{text[:most].rstrip()} ..."


def _answers(line: ItemLine) -> tuple[str, str]:
    """Return the answers of the chains, with how often each was given if it was not once, and their outcomes."""
    counts = Counter(map(_answer, line.chains))
    answers = [answer if n == 1 else f"{answer} ({n})" for (answer, _), n in counts.items()]
    return "\n".join(answers) or "-", "\n".join(outcome for _, outcome in counts) or "-"


def _answer(chain: Row) -> tuple[str, str]:
    if chain["answer"] is None:
        return str(chain["status"]), "-"
    return clipped(chain["answer"]), RIGHT[chain["correct"]]


def _changed(line: ItemLine, names: Mapping[str, str]) -> str:
    return ", ".join(names.get(probe, probe) for probe in line.arms if line.changed[probe]) or "-"


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return each name's first words, at least four letters, that no other name begins with; or else the name."""
    known = list(names)
    return {name: next((short for short in _beginnings(name) if _is_only(short, known)), name) for name in known}


def _beginnings(name: str) -> list[str]:
    words = name.split("_")
    found = ["_".join(words[:n]) for n in range(1, len(words))]
    return [short for short in found if len(short) >= SHORTEST]


def _is_only(short: str, names: Iterable[str]) -> bool:
    return sum(name == short or name.startswith(f"{short}_") for name in names) == 1
