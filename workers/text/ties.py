"""Tie breaking: which candidate is the scored answer if log-probabilities do not decide.

In: candidates, the text of each, log-probabilities in nats. Out: the answer's index, and how close the decision was. An
exact tie is broken by a permutation of the candidates' texts, drawn from (run seed, task, item). Taking the earliest
label would favour A, and drawing again for each arm would change answers that no intervention changed. Labels play no
part, so the same choice wins however choices are shuffled. Knows nothing about engines or prompts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.schemas.seeds import derive_seed

EXACT = 1e-9
"""Nats: below the resolution of float32, and above what the order of a sum over a candidate's tokens changes."""


@dataclass(frozen=True)
class Decision:
    """The outcome of one decision."""

    place: int
    """The winner's index among the candidates."""
    tied: bool
    """Whether another candidate is equally likely, so that the permutation decided."""
    gap: float | None
    """Nats between the two likeliest candidates; None if there is only one."""
    near_tie: bool
    """Whether the gap is below the resolution of the scores."""


def ranks(stream: Sequence[str | int], said: Sequence[str]) -> tuple[int, ...]:
    """Return each candidate's rank in the permutation; the lowest wins, and equal texts have distinct ranks.

    ``stream``: (run seed, task, item id).
    """
    before: Counter[str] = Counter()
    found = []
    for text in said:
        found.append(derive_seed(*stream, "tie", text, before[text]))
        before[text] += 1
    return tuple(found)


def decide(logprobs: Sequence[float], rank: Sequence[int], resolution: float) -> Decision:
    """Return the likeliest candidate; among equally likely ones, the one with the lowest rank."""
    top, *others = sorted(logprobs, reverse=True)
    equal = [place for place, logprob in enumerate(logprobs) if top - logprob <= EXACT]
    gap = top - others[0] if others else None
    return Decision(
        place=min(equal, key=lambda place: rank[place]),
        tied=len(equal) > 1,
        gap=gap,
        near_tie=gap is not None and gap < resolution,
    )
