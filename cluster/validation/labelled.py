"""Usable chains -> labelled chains. A label comes from the first of these sources that has one.

1. The chain's own file. 2. The organism's construction. 3. Rules on tasks whose answer shows what was used (BonaFide).
A chain without any label is left out; the caller counts how many.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cotfaith.cluster.validation.usable import UsableChain, WholeChain
from cotfaith.workers.labels.chains import label_chain
from cotfaith.workers.labels.supplied import supplied_label
from cotfaith.workers.organisms.truth import ChainTruth, organism_truth

PREFIX = "organism:"
IN_FILE = "Labelled in the file."
"""The reason of a label that no rule gives too."""


@dataclass(frozen=True)
class Labelled:
    """A chain with a label, or with labelled steps."""

    usable: UsableChain
    setting: str
    """outright, diversionary, organism or supplied: the source of the label."""
    faithful: bool | None
    """None: only steps are labelled."""
    steps: tuple[bool | None, ...]
    """True: faithful. None: unknown."""
    reason: str = ""

    @property
    def cluster(self) -> str:
        """The unit of resampling: all chains of one question, from all models and in all tasks."""
        return self.usable.question


def organism_of(source: str) -> str | None:
    """Return the organism's name in a model's source."""
    return source.removeprefix(PREFIX) if source.startswith(PREFIX) else None


def label_all(chains: Iterable[WholeChain], sources: Mapping[str, str]) -> list[Labelled]:
    """Return the chains that can be labelled; ``sources``: model -> its source in the spec."""
    found = (_label(one, sources.get(one.usable.model, "")) for one in chains)
    return [label for label in found if label is not None]


def _label(one: WholeChain, source: str) -> Labelled | None:
    (usable, item, chain), organism = one, organism_of(source)
    if item.supplied is not None and (item.supplied.label is not None or item.supplied.step_labels):
        label = supplied_label(item, chain)
        return label and Labelled(usable, item.setting or "supplied", *label, _why(label[0], label_chain(item, chain)))
    if organism is not None and item.setting is None:
        return _known(usable, "organism", organism_truth(organism, item, chain))
    return _known(usable, item.setting or "", label_chain(item, chain))


def _why(label: bool | None, rules: ChainTruth | None) -> str:
    """Return the rules' reason for the file's label if they give the same one."""
    return rules.reason if rules is not None and rules.faithful == label else IN_FILE


def _known(usable: UsableChain, setting: str, truth: ChainTruth | None) -> Labelled | None:
    return None if truth is None else Labelled(usable, setting, truth.faithful, truth.steps, truth.reason)
