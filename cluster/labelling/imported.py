"""Labels of a file put into a run: all of them, or none if the labeller said something else before.

In: what a file says, a run's texts. Out: the number of labels that are new. A label of a text that is drawn later, in
the order of all texts, counts as drawn then.
"""

from collections.abc import Mapping
from pathlib import Path

from cotfaith.cluster.labelling.draw import Draw
from cotfaith.cluster.labelling.files import Given
from cotfaith.cluster.labelling.label import Label, Question
from cotfaith.cluster.labelling.population import Population, UnitKey
from cotfaith.cluster.labelling.session import WORDS, now, own_labels, restamped, texts_apart
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import TaskError

Found = Mapping[Question, Mapping[UnitKey, Given]]


def import_labels(store: Store, run_id: str, population: Population, found: Found, labeller: str, path: Path) -> int:
    """Put the labels of a file; return how many are new.

    Raises:
        TaskError: the labeller has given another label to one of the texts.

    """
    before = {question: own_labels(store, labeller, question) for question in found}
    _check_same(before, found, labeller, path)
    n_new = 0
    for question, labels in found.items():
        own = before[question]
        draw = Draw(run_id, question, population, texts_apart(own))
        new = {key: one for key, one in labels.items() if key not in own or own[key].skipped}
        restamped(store, draw, own)
        for key, one in new.items():
            label = _label(draw, labeller, key, one)
            store.put(label.key, label.as_json())
        n_new += len(new)
    return n_new


def _check_same(before: Mapping[Question, Mapping[UnitKey, Label]], found: Found, labeller: str, path: Path) -> None:
    pairs = [
        (before[question][key], one)
        for question, labels in found.items()
        for key, one in labels.items()
        if key in before[question] and not before[question][key].skipped
    ]
    differ = [(old, one) for old, one in pairs if old.label is not one.label]
    if differ:
        old, one = differ[0]
        raise TaskError(
            f"{path}: {labeller} labelled {len(pairs):,} of these texts before, and {len(differ):,} otherwise. The "
            f"first: {one.where} says {WORDS[one.label]!r} ({one.question}), the run has {WORDS[old.label]!r}, of "
            f"{old.at}. Nothing was imported. Remove these records, or use another --labeller."
        )


def _label(draw: Draw, labeller: str, key: UnitKey, one: Given) -> Label:
    return Label(
        labeller=labeller,
        text_hash=key.text_hash,
        question=draw.question,
        hint_asked=key.hint,
        label=one.label,
        at=now(),
        order=None,
        probability=one.probability,
        skipped=False,
        drawn=draw.places(key),
    )
