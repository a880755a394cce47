"""How many labels there are: by labeller and question, by stratum, and where two labellers agree.

In: ``Label`` objects. Out: plain data, a dict a line, for tables and JSON. Raw counts: chance is not taken out.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeVar

from cotfaith.cluster.labelling.label import Drawn, Label
from cotfaith.cluster.labelling.read import cell_of, drawn_of

Line = dict[str, Any]
K = TypeVar("K", bound=Hashable)
_CELL = ("model", "task", "strategy", "variant", "channel", "switched", "differ")


def by_labeller(labels: Sequence[Label]) -> list[Line]:
    """Return labeller, question, ``yes``, ``no``, ``cannot_tell``, ``skipped``, ``from_file``."""
    groups = _grouped(((one.labeller, one.question), one) for one in labels)
    names = ("labeller", "question")
    return [dict(zip(names, key, strict=True)) | _counts(own) for key, own in sorted(groups.items())]


def by_stratum(labels: Sequence[Label]) -> list[Line]:
    """Return the same for each cell of a stratum, with ``texts``, how many it has, and ``drawn``, how many at random.

    ``switched``: whether its chains moved to their target; ``differ``: whether readers differ on its texts, null if
    these were not drawn first. A text that is in several strata counts in each.
    """
    pairs = ((one, place) for one in labels for place in one.drawn)
    groups = _grouped(((cell_of(one, place), (one, place)) for one, place in pairs))
    return [_of_cell(own) for _, own in sorted(groups.items(), key=lambda pair: tuple(map(str, pair[0])))]


def agreement(labels: Iterable[Label]) -> list[Line]:
    """Return question, ``labellers`` (two), ``both`` (texts that both labelled yes or no), ``same``."""
    said: defaultdict[str, dict[str, dict[tuple[str, str], bool]]] = defaultdict(dict)
    for one in labels:
        if one.label is not None:
            said[one.question].setdefault(one.labeller, {})[one.text_hash, one.hint_asked] = one.label
    return [
        {"question": question, "labellers": [a, b], **_alike(by[a], by[b])}
        for question, by in sorted(said.items())
        for a, b in combinations(sorted(by), 2)
    ]


def _alike(one: Mapping[K, bool], other: Mapping[K, bool]) -> dict[str, int]:
    both = one.keys() & other.keys()
    return {"both": len(both), "same": sum(one[key] is other[key] for key in both)}


def _grouped(pairs: Iterable[tuple[K, Any]]) -> dict[K, list[Any]]:
    found: defaultdict[K, list[Any]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)


def _counts(labels: Iterable[Label]) -> dict[str, int]:
    own = list(labels)
    given = [one.label for one in own if not one.skipped]
    return {
        "yes": given.count(True),
        "no": given.count(False),
        "cannot_tell": given.count(None),
        "skipped": len(own) - len(given),
        "from_file": sum(one.order is None for one in own),
    }


def _of_cell(pairs: Sequence[tuple[Label, Drawn]]) -> Line:
    label, place = pairs[0]
    about = {name: getattr(place, name) for name in _CELL}
    drawn = drawn_of(pairs)
    counts = _counts(one for one, _ in pairs) | {"drawn": drawn, "texts": place.of}
    return {"labeller": label.labeller, "question": label.question} | about | counts
