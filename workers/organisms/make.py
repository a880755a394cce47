"""One organism from recipe to card: train it, measure every folder that results, write the cards.

Its base comes from the same output folder if it exists there, else from the package.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cotfaith.workers.organisms.card import make_card, write_card
from cotfaith.workers.organisms.evaluate import Bench, measure
from cotfaith.workers.organisms.folder import folder_of
from cotfaith.workers.organisms.recipes import Recipe
from cotfaith.workers.organisms.train import Progress, held_out_loss, set_threads, train

ITEMS = 120
"""Items per task for a card's figures."""


def shortened(recipe: Recipe, steps: int | None) -> Recipe:
    """Return the recipe with another number of steps; checkpoints beyond it are left out."""
    if steps is None:
        return recipe
    return replace(recipe, steps=steps, checkpoints=tuple(step for step in recipe.checkpoints if step < steps))


def make(recipe: Recipe, out: Path, threads: int, progress: Progress, items: int | None = None) -> list[dict[str, Any]]:
    """Return the cards of the folders written: checkpoints first, then the organism."""
    set_threads(threads)
    base = None if recipe.base is None else _base(recipe.base, out)
    folders = train(recipe, out, base, progress)
    steps = [*recipe.checkpoints, recipe.steps]
    return [_card(recipe, folder, step, items or ITEMS, threads) for folder, step in zip(folders, steps, strict=True)]


def _base(name: str, out: Path) -> Path:
    made = out / name
    return made if (made / "config.json").is_file() else folder_of(name)


def _card(recipe: Recipe, folder: Path, step: int, items: int, threads: int) -> dict[str, Any]:
    measured = measure(Bench(folder, items, threads=threads))
    card = make_card(recipe, folder, step, held_out_loss(recipe, folder), measured)
    write_card(card, folder)
    return card
