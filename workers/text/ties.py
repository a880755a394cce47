"""Which of several candidates a scored answer is, where log-probabilities do not decide.

In: candidates, what each says, log-probabilities in nats. Out: the answer's place, and how close it was. An exact tie
is broken by a permutation of what the candidates say, drawn from (run seed, task, item): not the earliest label, which
would favour A, and not anew for each arm, which would move answers that nothing moved. Labels play no part, so the
same choice wins however choices are shuffled. Knows nothing about engines or prompts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.schemas.seeds import derive_seed

EXACT = 1e-9
"""Nats: less than float32 can tell, and more than the order of a sum over a candidate's tokens changes."""


@dataclass(frozen=True)
class Decision:
    """What came out."""

    place: int
    """Of the winner among the candidates."""
    tied: bool
    """Whether another candidate is as likely, so that the permutation decided."""
    gap: float | None
    """Nats between the two likeliest; null if there is one candidate."""
    near_tie: bool
    """Whether the gap is below the resolution of the scores."""


def ranks(stream: Sequence[str | int], said: Sequence[str]) -> tuple[int, ...]:
    """Return each candidate's rank by the permutation, where the lowest wins; of equal texts each has its own.

    ``stream``: (run seed, task, item id).
    """
    before: Counter[str] = Counter()
    found = []
    for text in said:
        found.append(derive_seed(*stream, "tie", text, before[text]))
        before[text] += 1
    return tuple(found)


def decide(logprobs: Sequence[float], rank: Sequence[int], resolution: float) -> Decision:
    """Return the likeliest candidate; among those that are as likely, the one of the lowest rank."""
    top, *others = sorted(logprobs, reverse=True)
    equal = [place for place, logprob in enumerate(logprobs) if top - logprob <= EXACT]
    gap = top - others[0] if others else None
    return Decision(
        place=min(equal, key=lambda place: rank[place]),
        tied=len(equal) > 1,
        gap=gap,
        near_tie=gap is not None and gap < resolution,
    )
