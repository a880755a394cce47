"""All labels of a run, with the probability by which each text came to be labelled.

In: a store. Out: ``Label`` objects, or a frame of them. Reads no chains: a label knows its places in the population.

The texts of a cell (``Drawn``) have one random order, the same for every labeller. A labeller has drawn the texts up to
the first one that was not shown: a simple random sample of the cell, whatever made the labeller stop there. Labels that
came in a file fill their places in it, and draw nothing by themselves. The
inclusion probability is the number drawn over the size of the cell. A label further on (it came in a file, or the run
grew, or readings were added) was not drawn: its probability is the one that its file gives, or not known. A text in
several cells was drawn if it was in any: the largest probability holds.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import polars as pl

from cotfaith.cluster.labelling.label import LABELS, Drawn, Label, parse_label
from cotfaith.cluster.storage.read import objects
from cotfaith.cluster.storage.store import Store

SCHEMA = {
    "labeller": pl.String,
    "text_hash": pl.String,
    "question": pl.String,
    "hint_asked": pl.String,
    "label": pl.Boolean,
    "probability": pl.Float64,
    "at": pl.String,
    "order": pl.String,
}
Cell = tuple[object, ...]


def read_labels(store: Store) -> pl.DataFrame:
    """Return one row for each labeller, text, question and hint; a text that was put off has none.

    Columns: ``labeller``; ``text_hash`` (SHA-256, hex, of the chain's text); ``question``; ``hint_asked`` (the
    intervention, also where it is the variant's own); ``label``, null if the labeller cannot tell; ``probability``,
    the inclusion probability (0 to 1], null if it is not known; ``at`` (ISO 8601); ``order`` ("random",
    "disagreement"), null if the label came in a file.

    Raises:
        RunFolderError: an object among the labels is none.

    """
    found = labels_in(store)
    known = probabilities(found)
    rows = [one.data() | {"probability": known[one.key]} for one in found if not one.skipped]
    return pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in rows], schema=SCHEMA)


def labels_in(store: Store, labeller: str | None = None) -> list[Label]:
    """Return all labels, or one person's, in the order of their keys, with the texts that were put off.

    Raises:
        RunFolderError: an object among the labels is none.

    """
    found = objects(store, LABELS if labeller is None else f"{LABELS}{labeller}/")
    pairs = zip(found, store.get_many(found), strict=True)
    return [parse_label(data, key) for key, data in pairs if data is not None]


def probabilities(labels: Iterable[Label]) -> dict[str, float | None]:
    """Return key -> inclusion probability, null if it is not known."""
    every = list(labels)
    shown: defaultdict[Cell, list[tuple[Label, Drawn]]] = defaultdict(list)
    for one in every:
        for place in one.drawn:
            shown[cell_of(one, place)].append((one, place))
    n_drawn = {cell: drawn_of(own) for cell, own in shown.items()}
    return {one.key: _probability(one, n_drawn) for one in every}


def cell_of(label: Label, place: Drawn) -> Cell:
    """Return what a labeller's texts are drawn from together."""
    about = place.model, place.task, place.strategy, place.variant, place.channel
    return label.labeller, label.question, *about, place.switched, place.differ, place.population


def drawn_of(labels: Sequence[tuple[Label, Drawn]]) -> int:
    """Return how many texts of a cell were drawn: up to the last that was shown, if none before it is missing.

    A label that came in a file fills its place, and draws nothing: that it stands first in the order is chance. If all
    texts of the cell are labelled, all count, unless files brought them and say how.
    """
    ranks, n = {place.rank for _, place in labels}, labels[0][1].of
    gap = next(rank for rank in range(len(ranks) + 1) if rank not in ranks)
    shown = [place.rank for one, place in labels if one.order is not None]
    whole = gap == n and (shown or all(one.probability is None for one, _ in labels))
    return gap if whole else 1 + max((rank for rank in shown if rank < gap), default=-1)


def _probability(label: Label, n_drawn: dict[Cell, int]) -> float | None:
    ends = [(place, n_drawn[cell_of(label, place)]) for place in label.drawn]
    known = [n / place.of for place, n in ends if place.rank < n]
    return max(known, default=label.probability)
