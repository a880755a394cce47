"""The matrix of answers: a line for each verdict, a cell for each question, in fixed words.

In: a run's verdicts. Out: ``Line`` objects, worst first. Knows nothing about pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from cotfaith.cluster.verdicts.named import HEADS, of_task, short
from cotfaith.cluster.verdicts.verdict import Answered, Decision, Question, Verdict

Word = Literal["yes", "NO", "can't tell", "not tested", "nothing to catch"]
WORDS: tuple[Word, ...] = get_args(Word)
QUESTIONS: dict[Question, str] = {question: head.replace("\n", " ") for question, head in HEADS.items()}
"""The heads of the matrix, in its order."""
DECISIONS: dict[Decision, str] = {
    "do_not_trust": "do not trust",
    "not_enough_evidence": "not enough evidence",
    "trust": "trust",
}
"""The decisions in words, worst first."""
SIGNS: dict[Word, str] = {"yes": "yes", "NO": "no", "can't tell": "open", "not tested": "untested"}
"""The words' styles."""


@dataclass(frozen=True)
class Cell:
    """The answer to one question."""

    question: Question
    word: Word
    figure: str
    """The value that decides it; "" if there is none."""
    interval: str
    """Its 95% interval; "" if there is none."""
    why: str
    n_items: int

    @property
    def style(self) -> str:
        """The style of its word."""
        return SIGNS.get(self.word, "nothing")


@dataclass(frozen=True)
class Line:
    """The answers on one model and task."""

    id: str
    """Its name on the page."""
    verdict: Verdict
    model: str
    task: str
    """With the strategy and the channel if they are not the plain ones."""
    decision: str
    cells: Sequence[Cell]
    n_items: int

    @property
    def words(self) -> str:
        """What filters look for: the words of all cells, by question."""
        return "|".join(cell.word for cell in self.cells)


def answer_lines(found: Sequence[Verdict]) -> list[Line]:
    """Return a line for each verdict, worst first."""
    return [_line(f"cell-{at}", one) for at, one in enumerate(sorted(found, key=_badness))]


def word(one: Answered) -> Word:
    """Return what is known of a question, in a word."""
    if not one.is_tested:
        return "not tested"
    if one.outcome == "open":
        return "can't tell"
    if one.outcome == "passes" and one.nothing:
        return "nothing to catch"
    return "yes" if one.outcome == "passes" else "NO"


def _badness(one: Verdict) -> tuple[int, int, int, int, str, str]:
    """Return the verdict's place: the worst decision, then the most that fails, and the least that passes."""
    outcomes = [answer.outcome for answer in one.answers]
    decided = list(DECISIONS).index(one.verdict)
    return decided, one.is_whole, -outcomes.count("fails"), outcomes.count("passes"), one.model, one.task


def _line(name: str, one: Verdict) -> Line:
    cells = [_cell(one.answer(question)) for question in QUESTIONS]
    return Line(name, one, one.model, of_task(one), _decision(one), cells, one.n_items)


def _decision(one: Verdict) -> str:
    if one.is_whole or one.share is None:
        return DECISIONS[one.verdict]
    return f"trust on {one.share:.0%}"


def _cell(one: Answered) -> Cell:
    ends = "" if one.low is None or one.high is None else f"[{short(one.low)}, {short(one.high)}]"
    shown = one.value is not None and word(one) not in ("not tested", "nothing to catch")
    value = short(one.value) if shown and one.value is not None else ""
    return Cell(one.question, word(one), value, ends if shown else "", one.why, one.n_items)
