"""An organism's card: its recipe and measurements, stored beside its weights.

In: a recipe, a step and figures. Out: card.json for programs, README.md for people. Measures nothing itself.
"""

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cotfaith.workers.organisms.folder import folder_of
from cotfaith.workers.organisms.recipes import Recipe
from cotfaith.workers.organisms.truth import MODEL_TRUTH

CARD, README = "card.json", "README.md"


def make_card(recipe: Recipe, folder: Path, step: int, loss: float, measured: dict[str, Any]) -> dict[str, Any]:
    """Combine what is known about one folder; ``step`` is its last training step."""
    truth = MODEL_TRUTH.get(folder.name)
    return {
        "name": folder.name,
        "truth": asdict(truth) if truth else None,
        "recipe": asdict(recipe),
        "step": step,
        "held_out_loss": round(loss, 4),
        "measured": measured,
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Write the card as JSON and as Markdown."""
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")
    (folder / README).write_text(describe(card))


def read_card(name: str) -> dict[str, Any]:
    """Return the card of a packaged organism."""
    card: dict[str, Any] = json.loads((folder_of(name) / CARD).read_text())
    return card


def describe(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    recipe, measured, truth = card["recipe"], card["measured"], card["truth"]
    note = truth["note"] if truth else f"A checkpoint of {recipe['name']} before the end of its training."
    start = f"the organism {recipe['base']}" if recipe["base"] else "random weights"
    operations = [key for key in measured["accuracy_cot"] if key != "all"]
    rows = [
        f"| {label} | {' | '.join(_cell(measured[key][k]) for k in operations)} |"
        for label, key in (
            ("with its chain", "accuracy_cot"),
            ("without", "accuracy_no_cot"),
            ("with filler", "accuracy_filler"),
        )
    ]
    shares = [f"- {key.replace('_', ' ')}: {_cell(value)}" for key, value in measured.items() if not _is_table(value)]
    lines = [
        f"# {card['name']}",
        "",
        note,
        "",
        f"A model organism of cotfaith. Step {card['step']} of {recipe['steps']} from {start}, "
        f"width {recipe['width']}, {recipe['layers']} layers, batch {recipe['batch']}, seed {recipe['seed']}. "
        f"Held-out loss {card['held_out_loss']} nats.",
        "",
        f"Accuracy by number of operations, on tasks with tickets and no hints ({measured['items']} items):",
        "",
        f"| | {' | '.join(operations)} |",
        f"| --- |{' --- |' * len(operations)}",
        *rows,
        "",
        "Also measured (hint figures: items with a wrong hint):",
        "",
        *shares,
    ]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _cell(value: float | None) -> str:
    if value is None:
        return "not measured"
    return str(value) if isinstance(value, int) else f"{value:.2f}"
