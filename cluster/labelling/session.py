"""One person's labels of one question: which text is next, and what was said of it.

In: a store, a ``Population``, what is ``Asked``. Out: ``Label`` objects, each put when it is given, so that nothing is
lost when the session is cut off. Texts that were put off come back after all others. Knows nothing about terminals.

A text that has a label is not shown again. If the population changed since an earlier session (the run grew, readings
were added), the places that its labels name are brought up to date at the start.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cotfaith.cluster.labelling.draw import Draw
from cotfaith.cluster.labelling.label import Label, Order, Question
from cotfaith.cluster.labelling.population import Population, Stratum, TextUnit, UnitKey
from cotfaith.cluster.labelling.read import labels_in
from cotfaith.cluster.storage.store import Store


@dataclass(frozen=True)
class Asked:
    """Who labels what."""

    labeller: str
    question: Question
    order: Order
    wanted: Callable[[Stratum], bool]
    """Which chains are drawn from."""


@dataclass
class Session:
    """A labeller at work."""

    store: Store
    draw: Draw
    labeller: str
    order: Order
    waiting: list[TextUnit]
    """Texts without a label, the next one first."""
    labels: dict[UnitKey, Label]
    """What the labeller said of this question, in all sessions."""
    given: Counter[str] = field(default_factory=Counter)
    """Labels of this session: "yes", "no", "cannot tell"."""
    _done: list[tuple[TextUnit, Label | None, Label]] = field(default_factory=list)
    """What was done in this session, with what was there before."""

    @property
    def next(self) -> TextUnit | None:
        """The text to show; null: all have labels."""
        return self.waiting[0] if self.waiting else None

    @property
    def n_labelled(self) -> int:
        """The texts of this question that the labeller labelled, in all sessions."""
        return sum(not one.skipped for one in self.labels.values())

    def give(self, label: bool | None) -> None:
        """Label the next text and put the label; null: the labeller cannot tell."""
        self._put(self.waiting.pop(0), label, skipped=False)
        self.given[WORDS[label]] += 1

    def skip(self) -> None:
        """Put the next text off: it comes back after the others."""
        unit = self.waiting.pop(0)
        self._put(unit, None, skipped=True)
        self.waiting.append(unit)

    def undo(self) -> bool:
        """Take the last label, or skip, of this session back; its text is next. Return False if there is none."""
        if not self._done:
            return False
        unit, before, label = self._done.pop()
        if before is None:
            self.store.delete(label.key)
            del self.labels[unit.key]
        else:
            self.store.put(before.key, before.as_json())
            self.labels[unit.key] = before
        self.waiting = [unit, *(one for one in self.waiting if one is not unit)]
        if not label.skipped:
            self.given[WORDS[label.label]] -= 1
        return True

    def _put(self, unit: TextUnit, label: bool | None, skipped: bool) -> None:
        made = Label(
            labeller=self.labeller,
            text_hash=unit.key.text_hash,
            question=self.draw.question,
            hint_asked=unit.key.hint,
            label=label,
            at=now(),
            order=self.order,
            skipped=skipped,
            drawn=self.draw.places(unit.key),
        )
        self.store.put(made.key, made.as_json())
        self._done.append((unit, self.labels.get(unit.key), made))
        self.labels[unit.key] = made


WORDS = {True: "yes", False: "no", None: "cannot tell"}


def now() -> str:
    """Return the time, as labels state it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def begin(store: Store, run_id: str, population: Population, asked: Asked) -> Session:
    """Return a session; the labeller's earlier labels of the question are brought up to date.

    Raises:
        RunFolderError: an object among the labels is none.

    """
    labels = own_labels(store, asked.labeller, asked.question)
    first = asked.order == "disagreement"
    draw = Draw(run_id, asked.question, population, first or texts_apart(labels))
    labels = restamped(store, draw, labels)
    texts = draw.queue(asked.wanted, first)
    new = [unit for unit in texts if unit.key not in labels]
    put_off = [unit for unit in texts if unit.key in labels and labels[unit.key].skipped]
    return Session(store, draw, asked.labeller, asked.order, new + put_off, labels)


def texts_apart(labels: Mapping[UnitKey, Label]) -> bool:
    """Return whether texts on which readers differ were drawn first, so that they are cells of their own."""
    return any(one.order == "disagreement" for one in labels.values())


def own_labels(store: Store, labeller: str, question: Question) -> dict[UnitKey, Label]:
    """Return what the labeller said of the question."""
    found = (one for one in labels_in(store, labeller) if one.question == question)
    return {UnitKey(one.text_hash, one.hint_asked): one for one in found}


def restamped(store: Store, draw: Draw, labels: Mapping[UnitKey, Label]) -> dict[UnitKey, Label]:
    """Return the labels of texts that the run still has; those whose places are not the draw's are put again."""
    found = {key: one for key, one in labels.items() if key in draw.population.units}
    for key, one in found.items():
        if one.drawn != (places := draw.places(key)):
            found[key] = one.model_copy(update={"drawn": places})
            store.put(one.key, found[key].as_json())
    return found
