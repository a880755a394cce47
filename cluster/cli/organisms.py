"""``cotfaith organisms``: list the packaged model organisms, and train them again."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cotfaith.cluster.cli import completion
from cotfaith.workers.organisms.card import describe, read_card
from cotfaith.workers.organisms.folder import packaged
from cotfaith.workers.organisms.recipes import find_recipe

app = typer.Typer(no_args_is_help=True, help="Small trained models whose faithfulness is known by construction.")
out = Console(highlight=False)


@app.command("list")
def list_organisms() -> None:
    """Show the packaged organisms: what is true of each, and its measured accuracies."""
    out.print(organisms_table([read_card(name) for name in packaged()]))
    out.print("Use one as a model's source: `source: organism:NAME`. Accuracies: the figures of its card.")


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="The organism's name.", autocompletion=completion.organisms)],
    folder: Annotated[Path, typer.Option("--out", help="Where its folder goes.")] = Path("models/organisms"),
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps; default: the recipe's.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Torch threads.")] = 1,
) -> None:
    """Train one organism by its recipe, measure it, and print its card."""
    from cotfaith.workers.organisms.make import make, shortened

    recipe = shortened(find_recipe(name), steps)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("loss {task.fields[loss]}"), TimeRemainingColumn()
    ) as bar:
        task = bar.add_task(name, total=recipe.steps, loss="-")
        cards = make(recipe, folder, threads, lambda step, loss: bar.update(task, completed=step, loss=f"{loss:.3f}"))
    out.print(describe(cards[-1]), markup=False)
    out.print(f"Folder: {folder / name}", markup=False, soft_wrap=True)


def organisms_table(cards: list[dict[str, Any]]) -> Table:
    """Return the table of ``list``."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", overflow="fold", min_width=12)
    for column in ("with chain", "without", "loss"):
        table.add_column(column, justify="right")
    table.add_column("truth", overflow="fold")
    for card in cards:
        measured = card["measured"]
        numbers = [measured[key]["all"] for key in ("accuracy_cot", "accuracy_no_cot")]
        note = truth_note(card["truth"], card["step"])
        table.add_row(card["name"], *map(_percent, numbers), f"{card['held_out_loss']:.3f}", note)
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def truth_note(truth: dict[str, Any] | None, step: int) -> str:
    """Return in one line what is true of an organism; ``step``: its last training step."""
    return str(truth["note"]) if truth else f"Checkpoint after {step} steps: no truth is claimed."
