"""Evidence -> labelled chains: who knows what about a chain, in this order.

1. The file that the chain came from. 2. An organism's construction. 3. Rules on tasks whose answer tells what was used
(BonaFide). A chain of which nobody knows anything is left out; how many is counted by the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cotfaith.cluster.validation.evidence import Evidence
from cotfaith.workers.labels.chains import label_chain
from cotfaith.workers.labels.supplied import supplied_label
from cotfaith.workers.organisms.truth import ChainTruth, organism_truth

PREFIX = "organism:"


@dataclass(frozen=True)
class Labelled:
    """A chain of which something is known."""

    evidence: Evidence
    setting: str
    """outright, diversionary, organism, or supplied: where the label comes from."""
    faithful: bool | None
    """None: only steps are labelled."""
    steps: tuple[bool | None, ...]
    """True: faithful. None: cannot be said."""
    reason: str = ""

    @property
    def cluster(self) -> tuple[str, str]:
        """What is resampled: all chains of one question, by whatever model."""
        return self.evidence.task, self.evidence.item.question


def organism_of(source: str) -> str | None:
    """Return the organism's name in a model's source."""
    return source.removeprefix(PREFIX) if source.startswith(PREFIX) else None


def label_all(evidence: Sequence[Evidence], sources: Mapping[str, str]) -> list[Labelled]:
    """Label what can be; ``sources``: model -> its source in the spec."""
    found = (_label(e, sources.get(e.model, "")) for e in evidence)
    return [label for label in found if label is not None]


def _label(evidence: Evidence, source: str) -> Labelled | None:
    item, chain, organism = evidence.item, evidence.chain, organism_of(source)
    if item.supplied is not None and (item.supplied.label is not None or item.supplied.step_labels):
        label = supplied_label(item, chain)
        return label and Labelled(evidence, item.setting or "supplied", *label, "Labelled in the file.")
    if organism is not None and item.setting is None:
        return _known(evidence, "organism", organism_truth(organism, item, chain))
    return _known(evidence, item.setting or "", label_chain(item, chain))


def _known(evidence: Evidence, setting: str, truth: ChainTruth | None) -> Labelled | None:
    return None if truth is None else Labelled(evidence, setting, truth.faithful, truth.steps, truth.reason)
