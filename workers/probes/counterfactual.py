"""Counterfactual: the subject answers other questions, which its chain lets a reader predict. Chen et al. 2023.

arXiv 2307.08678, section 2: an explanation should let its reader infer how the model answers similar questions. Arms
"0" to "k-1" per chain, ``rollout`` 0 to k-1: one question each. The row's ``edit`` is the question, made by the task's
generator or by the editor, who sees the item's question and the chain. The subject writes a chain to it (``text``), by
the spec's sampling, and answers after it: what it would do if it were asked. That answer is neither right nor wrong,
since nobody knows the gold answer; ``same_answer`` says whether it is the one to the item's own question. A question
that could not be written is a row with the status ``edit_failed``. ``simulated`` has observers predict the answers.
"""

import random
from collections.abc import Generator, Sequence
from typing import Any, Literal

from pydantic import Field

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import Chain, Edit, Observation
from cotfaith.schemas.spec import RunSpec, Section
from cotfaith.schemas.status import Status
from cotfaith.workers.probes.lib.continued import Continued, continued, unedited
from cotfaith.workers.probes.lib.probe import Arm, Probe, ProbeRun, Shape
from cotfaith.workers.roles.editors.base import Editing, edit_failed
from cotfaith.workers.roles.editors.reply import folded
from cotfaith.workers.shard.ask import Ask, Request
from cotfaith.workers.shard.rounds import together
from cotfaith.workers.tasks.generators import GENERATORS

GENERATOR = "generator"
"""The editor of the questions that the task's generator made."""
_QUESTION_TOKENS = 128
"""What the plan assumes of a question: the default limit of an edit."""


class Options(Section):
    """The questions: how many, and who writes them."""

    questions: int = Field(default=2, ge=1, le=100)
    """The number of questions for each chain."""
    by: Literal["auto", "editor", "generator"] = "auto"
    """Who writes them. auto: the task's generator if it can, else the editor."""


def counterfactual(chain: Chain, ask: Ask, options: Options) -> ProbeRun:
    """Ask other questions that the chain helps to answer, each with a chain of its own."""
    edits = _all_different((yield from _written(chain, ask, options)))
    asks = [ask.about(edit.text, i) for i, edit in enumerate(edits) if edit.status is Status.OK]
    ends = iter((yield from together([_answered(one) for one in asks])))
    return [
        _observation(i, edit, next(ends) if edit.status is Status.OK else unedited(edit))
        for i, edit in enumerate(edits)
    ]


def _written(chain: Chain, ask: Ask, options: Options) -> Editing:
    if options.by == "editor" or (options.by == "auto" and ask.vary is None):
        return (yield from ask.questions(chain.text, options.questions))
    return _generated(ask, options.questions)


def _generated(ask: Ask, count: int) -> list[Edit]:
    seed, old = ask.next_seed(), ask.item.question
    found = [] if ask.vary is None else ask.vary(ask.item, random.Random(seed), count)
    made = [Edit(text, True, None, Status.OK, GENERATOR, seeds=(seed,)) for text in found[:count]]
    error = f"The generator has {len(made)} other questions for this item, {count} are wanted."
    return [*made, *[edit_failed(old, GENERATOR, error)] * (count - len(made))]


def _all_different(edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits; a question that an earlier one asks already is a failed edit."""
    seen: dict[str, int] = {}
    firsts = [seen.setdefault(folded(edit.text), i) if edit.status is Status.OK else i for i, edit in enumerate(edits)]
    return [
        edit if first == i else edit_failed(edit.text, edit.editor, f"It is the same question as number {first}.")
        for i, (first, edit) in enumerate(zip(firsts, edits, strict=True))
    ]


def _answered(ask: Ask) -> Generator[list[Request], list[Any], Continued]:
    (end,) = yield from continued(ask, [""])
    return end


def _observation(which: int, edit: Edit, end: Continued) -> Observation:
    return Observation(
        arm=str(which),
        answer=end.answer,
        rollout=which,
        text=end.text,
        n_tokens=end.n_tokens,
        seed=end.seed,
        edit=edit,
        graded=False,
    )


def _arms(shape: Shape, options: Options) -> Sequence[Arm]:
    by_editor = options.by != "generator"
    one = Arm(
        shape.tokens,
        fresh=shape.tokens + _QUESTION_TOKENS,
        generated=shape.tokens,
        edits=int(by_editor),
        edited=_QUESTION_TOKENS * by_editor,
        edit_reads=shape.tokens * by_editor,
    )
    return [one] * options.questions


def _check(spec: RunSpec) -> None:
    options = next(probe.options for probe in spec.probes if probe.name == PROBE.name)
    if options.get("by") != "generator":
        return
    for task in spec.tasks:
        found = None if task.generator is None else GENERATORS.find(task.generator, f"task {task.name!r}")
        if found is None or found.vary is None:
            who = "comes from a file" if found is None else f"has the generator {found.name}, which changes no question"
            able = ", ".join(name for name, one in GENERATORS.things.items() if one.vary is not None)
            raise SpecError(
                f"probes.counterfactual.options.by: generator, but the task {task.name!r} {who}. Use auto or editor, "
                f"or tasks of these generators: {able}."
            )


PROBE = Probe(
    name="counterfactual",
    level="chain",
    needs=frozenset({"answer", "generate", "editor"}),
    options=Options,
    run=counterfactual,
    arms=_arms,
    source="Chen et al. 2023, section 2",
    check=_check,
)
