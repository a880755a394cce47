"""A policy: which figures decide each question about a model's chains, and where their thresholds lie.

In: YAML. Out: a checked ``Policy``. A criterion passes if the interval of its figure lies on the good side of its
threshold, and fails if it lies on the bad side of ``fails_below`` or ``fails_above``; else it is open. ``default.yaml``
beside this file is the default, with the reason of each threshold.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from cotfaith.cluster.stats.metrics import all_metrics
from cotfaith.cluster.stats.metrics.lib.metric import ANY, Metric
from cotfaith.cluster.verdicts.verdict import QUESTIONS, Question
from cotfaith.cluster.yaml_text import yaml_data
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import Section, check_section
from cotfaith.schemas.suggest import unknown

DEFAULT = Path(__file__).with_name("default.yaml")
LARGEST_LEVEL = 0.25


class Condition(Section):
    """When a criterion is tested at all."""

    metric: str
    """The figure, as in the criterion, of the same arm."""
    above: float
    """It is tested where the figure is surely above this. Elsewhere nothing can happen that it would show."""


class Criterion(Section):
    """One figure with its thresholds."""

    metric: str
    """A metric as estimates name it, with its method: "mistakes_aoc/needed". A method "*" is any that occurs."""
    arm: str | None = None
    """The arm of every intervention whose variants are tested, each by itself: "wrong". Null: plain items."""
    above: float | None = None
    """It passes if the lower end is above this."""
    below: float | None = None
    """It passes if the upper end is below this."""
    fails_below: float | None = None
    """It fails if the upper end is below this; by default ``above``."""
    fails_above: float | None = None
    """It fails if the lower end is above this; by default ``below``."""
    if_measured: bool = False
    """Whether a run without the figure is judged without it."""
    any_reader: bool = False
    """Whether one reader that passes is enough; it fails only if all readers fail."""
    only_if: Condition | None = None
    """When it is tested; where it is not, the question passes if the question ``says`` passes."""

    @model_validator(mode="after")
    def _has_a_threshold(self) -> "Criterion":
        own = {name: getattr(self, name) for name in ("above", "below", "fails_below", "fails_above")}
        known = [name for name, value in own.items() if value is not None]
        if not known:
            raise ValueError("no threshold: set above, below, fails_below or fails_above")
        if "above" in known and "below" in known:
            raise ValueError("set above or below, not both: a figure passes on one side of its threshold")
        return self

    @property
    def passes_at(self) -> float | None:
        """The threshold that its figure has to clear; None: it need not pass."""
        return self.below if self.above is None else self.above

    @property
    def can_pass(self) -> bool:
        """Whether the question needs it to pass."""
        return self.passes_at is not None

    @property
    def fails(self) -> tuple[float | None, float | None]:
        """The thresholds below which, and above which, it fails."""
        low = self.above if self.fails_below is None else self.fails_below
        high = self.below if self.fails_above is None else self.fails_above
        return low, high


class Policy(Section):
    """What a verdict needs."""

    level: float = Field(default=0.025, gt=0, le=LARGEST_LEVEL)
    """One-sided, of the intervals that verdicts rest on, over all verdicts of a run."""
    claim: float = Field(default=0.05, gt=0, le=1)
    """What the chance of a wrong verdict of trust somewhere in a run, and that of a wrong one of no trust, is claimed
    to be at most. The intervals' tails may be twice as heavy as their level (docs/intervals.md)."""
    need_share: float = Field(default=0.8, ge=0, le=1)
    """The least share of items that need the chain for a verdict on all items; one-step items are left out."""
    need_metric: str = "need_share"
    """The figure of that share."""
    uncorrected: Literal["allowed", "open"] = "allowed"
    """Whether what a reader says of chains counts where no person's labels correct it; open: it leaves its question
    open."""
    questions: dict[Question, tuple[Criterion, ...]]
    """The criteria of each question; all must pass, and one that fails is enough."""

    @model_validator(mode="after")
    def _all_questions(self) -> "Policy":
        for name in QUESTIONS:
            if not any(one.can_pass for one in self.questions.get(name, ())):
                raise ValueError(f"the question {name!r} has no criterion with above or below: it could never pass")
        return self

    @property
    def hash(self) -> str:
        """What tells policies apart."""
        return sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()[:12]

    def criteria(self) -> Iterator[tuple[str, Criterion]]:
        """Yield every criterion with its place in the file."""
        for question, own in self.questions.items():
            for at, one in enumerate(own):
                yield f"questions.{question}.{at}", one

    def thresholds(self, title: str) -> tuple[list[float], list[float]]:
        """Return what a figure is asked to be above, and below."""
        above, below = set[float](), set[float]()
        if title == self.need_metric:
            above.add(self.need_share)
        for _, one in self.criteria():
            if is_named(title, one.metric):
                low, high = one.fails
                above |= {at for at in (one.above, high) if at is not None}
                below |= {at for at in (one.below, low) if at is not None}
        return sorted(above), sorted(below)

    @property
    def metrics(self) -> frozenset[str]:
        """The figures that it asks for, as criteria name them."""
        conditions = [one.only_if.metric for _, one in self.criteria() if one.only_if is not None]
        return frozenset([*(one.metric for _, one in self.criteria()), *conditions, self.need_metric])


def is_named(title: str, name: str) -> bool:
    """Return whether a criterion's ``name`` means the figure; a method "*" is any."""
    metric, _, method = name.partition("/")
    return title.partition("/")[0] == metric if method == "*" else title == name


def parse_policy(data: Any, origin: str = "policy") -> Policy:
    """Check ``data`` (from YAML) and return the policy.

    Raises:
        SpecError: a key or metric is unknown, or a threshold lies outside its metric's bounds; it names all mistakes.

    """
    if not isinstance(data, dict):
        got = "nothing: it is empty" if data is None else f"a {type(data).__name__}"
        raise SpecError(f"{origin}: expected a mapping, got {got}. `cotfaith gate --print-policy` prints one.")
    policy = check_section(Policy, data, origin)
    wrong = [mistake for place, one in policy.criteria() if (mistake := _mistake(place, one))]
    wrong += [] if _declared(policy.need_metric) else [f"need_metric: {_unknown(policy.need_metric)}"]
    if wrong:
        raise SpecError(f"{origin}: " + "\n".join(wrong))
    return policy


def load_policy(path: Path | None) -> Policy:
    """Return the policy of a file, or the default; raise ``SpecError`` if it cannot be read."""
    if path is None:
        return parse_policy(yaml_data(DEFAULT.read_text(encoding="utf-8")), "default policy")
    try:
        return parse_policy(yaml_data(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file. `cotfaith gate --print-policy` prints one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: the policy cannot be read: {error}. Name a YAML file in UTF-8.") from None
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from None


def _declared(name: str) -> Metric | None:
    """Return the metric that a criterion names; None: there is none."""
    metric, _, method = name.partition("/")
    for one in all_metrics():
        if one.name == metric and (one.method == (method or None) or (one.method == ANY and method)):
            return one
    return None


def _unknown(name: str) -> str:
    titles = [one.title for one in all_metrics()]
    return f"{unknown('metric', name, titles)} A reader's figure is named with its reader, or with '*'."


def _mistake(place: str, one: Criterion) -> str:
    """Return what is wrong with a criterion's figures; "" if nothing is."""
    named = [(f"{place}.metric", one.metric, [one.above, one.below, one.fails_below, one.fails_above])]
    if one.only_if is not None:
        named.append((f"{place}.only_if.metric", one.only_if.metric, [one.only_if.above]))
    for where, name, thresholds in named:
        if (metric := _declared(name)) is None:
            return f"{where}: {_unknown(name)}"
        low, high = metric.bounds or (float("-inf"), float("inf"))
        for value in thresholds:
            if value is not None and not (isfinite(value) and low <= value <= high):
                return f"{where}: the threshold {value:g} lies outside of {metric.title}'s values, {low:g} to {high:g}."
    return ""
