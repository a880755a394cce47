"""A verdict: what a policy decides about the chains of one model, task, strategy and channel.

Knows neither how it was decided nor where it is kept.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Decision = Literal["trust", "do_not_trust", "not_enough_evidence"]
Outcome = Literal["passes", "fails", "open"]
"""What is decided of one question; "open": not enough evidence, or untested."""
Question = Literal["needed", "made_in_it", "says", "readable", "caught"]
QUESTIONS: tuple[Question, ...] = get_args(Question)
"""Does the model need the chain; is the answer made in it; does it say what moved the answer; is it readable; does a
monitor catch what it hides."""
WHOLE = "all items"
"""The stratum of a verdict on all items."""


@dataclass(frozen=True)
class Answered:
    """What is known of one question, by the figure that decides it."""

    question: Question
    outcome: Outcome
    p_value: float | None = None
    """One-sided, for the outcome that the figure's value speaks for; not corrected. None: there is no test."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_items: int = 0
    figure: str = ""
    """The metric's title, with its variant and reader if it has them."""
    why: str = ""
    """One sentence."""
    nothing: bool = False
    """Whether nothing surely happened that its figure would show; then it is decided as the question ``says`` is. It
    is not in the table."""

    @property
    def is_tested(self) -> bool:
        """Whether all figures that it needs were measured."""
        return self.outcome == "fails" or self.p_value is not None


@dataclass(frozen=True)
class Verdict:
    """One verdict."""

    run_id: str
    model: str
    task: str
    strategy: str
    channel: str | None
    """None: the run does not tell channels apart."""
    stratum: str
    """Which items it speaks of: ``WHOLE``, or such as "items that need the chain"."""
    verdict: Decision
    answers: tuple[Answered, ...]
    """One for each of ``QUESTIONS``, in their order."""
    p_value: float | None
    """Corrected for all cells of the run, for the decision that was taken; None: there is no test."""
    n_items: int
    share: float | None = None
    """The stratum's share of the items, with its 95% interval; None: not known."""
    share_low: float | None = None
    share_high: float | None = None
    change: tuple[str, ...] = ()
    """What would change it: sentences, most useful first."""
    more_items: int | None = None
    """How many more items like these would decide the open questions that items decide; None: there is none. It is not
    in the table."""
    policy_hash: str = ""
    level: float = 0.025
    """The one-sided level of the policy."""

    @property
    def is_whole(self) -> bool:
        """Whether it speaks of all items."""
        return self.stratum == WHOLE

    def answer(self, question: Question) -> Answered:
        """Return what is known of one question."""
        return next(one for one in self.answers if one.question == question)
