"""An intervention applied to an item: its variants, checked.

In: an intervention with its options, the run's seed, a task's name, an item. Out: a variant for each arm, or a
``TaskError`` that names the intervention, the task, the item and what to do. A plug-in's mistake is found before
anything loads: a target that is no possible answer, the gold as a wrong target, a framing that cannot be rendered.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Item
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import Section
from cotfaith.schemas.variants import Framing, Turn, Variant
from cotfaith.workers.interventions.lib.intervention import (
    CORRECT,
    INSTRUCTED,
    INSTRUCTED_WRONG,
    NEUTRAL,
    WRONG,
    Intervention,
)
from cotfaith.workers.interventions.lib.targets import possible_answers
from cotfaith.workers.plugins import faults_named
from cotfaith.workers.text.answers import canonical_gold

_DIGEST = 16  # hex digits


@dataclass(frozen=True)
class Applied:
    """An intervention of a spec."""

    kind: Intervention
    options: Section
    arms: tuple[str, ...]
    """Those that are wanted."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the wanted variants."""
        return tuple(f"{self.kind.name}.{arm}" for arm in self.arms)

    def items(self, seed: int, task: str, item: Item) -> dict[str, Item]:
        """Return variant -> the item under it, for the wanted arms; raise ``TaskError`` as ``variants`` does."""
        found = self.variants(seed, task, item)
        return {found[arm].name: replace(item, variant=found[arm]) for arm in self.arms}

    def variants(self, seed: int, task: str, item: Item) -> Mapping[str, Variant]:
        """Return arm -> the item's variant, for all arms of the intervention but optional ones that the item lacks.

        Raises:
            TaskError: the intervention cannot be applied to the item, or what it returned is wrong.

        """
        name, where = self.kind.name, f"task {task!r}, item {item.id!r}, intervention {self.kind.name!r}"
        if self.kind.needs_choices and item.answer_format != "choice":
            raise TaskError(
                f"{where}: it needs multiple-choice items, and this one's answers are {item.answer_format}. Remove the "
                "intervention, or put the task into a spec of its own."
            )
        stream = Random(derive_seed(seed, task, item.id, "intervention", name))
        try:
            with faults_named(f"Applying {name!r} to item {item.id!r}", self.kind.variants, "plan again."):
                made = self.kind.variants(item, self.options, stream)
        except TaskError as error:
            raise TaskError(f"{where}: {error}") from error
        if problem := _problem(made, self.kind, item):
            raise TaskError(f"{where} (module {self.kind.module}): {problem}")
        found = {one.arm: one for one in made}
        if lacking := [arm for arm in self.arms if arm not in found]:
            left = ", ".join(arm for arm in self.kind.arms if arm in found)
            raise TaskError(
                f"{where}: it has no {' and no '.join(lacking)}, since the item's possible answers are not known "
                f"({item.answer_format}). Set its arms: [{left}]."
            )
        return found

    def wrong_target(self, seed: int, task: str, item: Item) -> str | None:
        """Return the target of the arm ``wrong``, wanted or not; None: the intervention has no such arm."""
        found = self.variants(seed, task, item).get(WRONG)
        return None if found is None else found.target

    def digest(self, seed: int, task: str, item: Item) -> str:
        """Return a hash of the texts and targets of all arms on the item."""
        found = self.variants(seed, task, item)
        arms = {arm: _facts(found[arm]) for arm in self.kind.arms if arm in found}
        text = json.dumps(arms, ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def _facts(one: Variant) -> dict[str, Any]:
    """Return what a variant is; without a demand, as it was before there were any."""
    return {name: value for name, value in asdict(one).items() if name != "demand" or value is not None}


def _problem(made: Any, kind: Intervention, item: Item) -> str:
    """Return what is wrong with what an intervention returned; "" if nothing is."""
    if not isinstance(made, tuple) or not all(isinstance(one, Variant) for one in made):
        return f"it returned {made!r:.60}, expected a tuple of Variants."
    if not set(kind.arms) - set(kind.optional) <= {one.arm for one in made} <= set(kind.arms) or _repeat(made):
        return f"it returned the arms {', '.join(one.arm for one in made)}; expected {', '.join(kind.arms)}, each once."
    if other := next((one.intervention for one in made if one.intervention != kind.name), None):
        return f"it returned a variant of the intervention {other!r}."
    found = (_target_problem(one, item) or _framing_problem(one, item) for one in made)
    return next((problem for problem in found if problem), "") or _pushed_apart(made)


def _repeat(made: tuple[Variant, ...]) -> bool:
    return len({one.arm for one in made}) < len(made)


def _pushed_apart(made: tuple[Variant, ...]) -> str:
    """Return what is wrong if the hint points elsewhere with the demand than without; "" if it does not."""
    targets = {one.arm: one.target for one in made if one.arm in (WRONG, INSTRUCTED_WRONG)}
    if len(set(targets.values())) < 2:
        return ""
    return f"its arms 'wrong' and 'instructed_wrong' have the targets {' and '.join(map(repr, targets.values()))}."


def _target_problem(one: Variant, item: Item) -> str:
    gold, target, answers = canonical_gold(item), one.target, possible_answers(item)
    if one.arm in (NEUTRAL, INSTRUCTED):
        return "" if target is None else f"its arm {one.arm!r} has the target {target!r}; expected none."
    if target is None:
        return f"its arm {one.arm!r} has no target." if one.arm in (WRONG, INSTRUCTED_WRONG, CORRECT) else ""
    if answers and target not in answers:
        return f"its arm {one.arm!r} has the target {target!r}, which is none of {', '.join(answers)}."
    if one.arm in (WRONG, INSTRUCTED_WRONG) and target == gold:
        return f"its arm {one.arm!r} has the target {target!r}, which is the gold answer."
    if one.arm == CORRECT and target != gold:
        return f"its arm 'correct' has the target {target!r}; the gold answer is {gold!r}."
    return ""


def _framing_problem(one: Variant, item: Item) -> str:
    if problem := framing_problem(one.framing, item):
        return f"its arm {one.arm!r} has {problem}"
    return ""


def framing_problem(framing: Framing, item: Item) -> str:
    """Return why no prompt can be made of the framing around the item; "" if one can."""
    if framing.marks and len(framing.marks) != len(item.labels):
        return f"{len(framing.marks)} marks, and the item {len(item.labels)} choices."
    texts = [framing.before, framing.after, *framing.marks, *(turn.text for turn in framing.turns)]
    if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
        return "half of a character (a surrogate), which cannot be written."
    return turns_problem(framing.turns)


def turns_problem(turns: tuple[Turn, ...]) -> str:
    """Return what is wrong with the order of earlier turns; "" if nothing is."""
    roles = [turn.role for turn in turns]
    if roles != ["user", "assistant"] * (len(roles) // 2):
        return f"the earlier turns {', '.join(roles)}; expected user, assistant, by turns, ending with the assistant's."
    empty = next((at for at, turn in enumerate(turns, start=1) if not turn.text.strip()), None)
    return "" if empty is None else f"an empty earlier turn (number {empty})."
