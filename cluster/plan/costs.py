"""Plan -> what it costs: requests and tokens per model, task and stage, before any weights load.

The counts are upper bounds under these assumptions: every chain has the stated length, continuations run to that length
too, edits are as long as what they replace and succeed at the first try. A model's line holds the work of its engine:
its own chains and probes, and what it reads and edits for other models. A reader's prompts are counted by the author's
tokenizer, but those of judges, monitors and observers by their own (``reading_costs``). Chains that come with their
items keep their own length.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.reading_costs import reading_work
from cotfaith.cluster.plan.roles import helpers
from cotfaith.schemas.records import READER
from cotfaith.schemas.spec import StrategyName, TaskSpec
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.plugins import faults_named
from cotfaith.workers.probes.lib.probe import Arm, Shape
from cotfaith.workers.roles.role import Work
from cotfaith.workers.roles.table import HELPERS
from cotfaith.workers.shard.work import answer_method
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.text.codec import count_tokens
from cotfaith.workers.text.steps import TOKENS_PER_STEP
from cotfaith.workers.text.turn_templates import make_templates

CHAINS = "chains"
"""The stage in which chains are sampled and lead to answers; the other stages are probes."""
_MARK = "\u241echain\u241e"  # stands for the chain while a prompt is measured


@dataclass
class Cost:
    """What one model's engine does for one task."""

    model: str
    task: str
    items: int = 0
    """Items that the model writes chains on; 0 for a model that only helps."""
    shards: int = 0
    requests: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    """Each prompt counted whole."""
    distinct_tokens: int = 0
    """Each prefix that an item's prompts share counted once: these are what the prefix tree computes."""
    stage: str = ""
    """The probe, or ``CHAINS``: sampling, and the answers that the chains lead to. Empty in a sum of stages."""
    variant: str = ""
    """The variant of the items. Empty in a sum of variants."""

    @property
    def tokens(self) -> int:
        """Prompt tokens and generated tokens: a run's rate counts these."""
        return self.prompt_tokens + self.generated_tokens

    def add(self, requests: int, prompt: int, distinct: int, generated: int, times: int = 1) -> None:
        """Count work that is done ``times`` times."""
        self.requests += times * requests
        self.prompt_tokens += times * prompt
        self.distinct_tokens += times * distinct
        self.generated_tokens += times * generated

    def count(self, work: Work, times: int) -> None:
        """Count a reader's or a helper's work that is done ``times`` times."""
        self.add(work.requests, work.prompt_tokens, work.distinct_tokens, work.generated_tokens, times)


@dataclass(frozen=True)
class _Frame:
    """The tokens around the chains of a task's items, for one model, strategy and variant, summed over the items."""

    variant: str
    items: int
    question: int
    """Tokens before the chain when it is sampled."""
    opening: int
    """Tokens before the chain when the answer is requested; the same as ``question`` only for plain chains."""
    suffix: int
    """Tokens from a chain's end to the answer."""
    answer: int
    """Tokens generated for answers; 0 if they are scored."""
    samplings: int
    """The most requests that sampling one chain takes."""

    def count_sampling(self, line: Cost, kept: int, new: int, times: int) -> None:
        """Count the work of sampling ``new`` tokens after the first ``kept`` of each item's chain.

        Several requests share the new tokens. Each prompt holds the question, the tokens kept, and what the earlier
        requests wrote. For n requests of equal length that is 0, 1/n, ... (n - 1)/n of the new tokens: (n - 1)/2 of
        them in total.
        """
        requests = self.samplings * self.items
        before = self.samplings * self.question + requests * kept
        written_earlier = self.items * (self.samplings - 1) * new // 2
        line.add(requests, prompt=before + written_earlier, distinct=0, generated=self.items * new, times=times)

    def count_answer(self, line: Cost, arm: Arm, times: int) -> None:
        """Count one arm of every item, and what is sampled for it."""
        chain, fresh = self.items * arm.chain_tokens, self.items * arm.fresh
        new = self.opening if arm.likelihood else 0
        answer = 0 if arm.likelihood else self.answer
        line.add(self.items, self.opening + chain + self.suffix, new + fresh + self.suffix, answer, times)
        if arm.generated:
            self.count_sampling(line, arm.chain_tokens - arm.generated, arm.generated, times)


def costs(plan: Plan, chain_tokens: int | None = None) -> list[Cost]:
    """Return the work per model and task; chains of ``chain_tokens`` tokens, by default the longest allowed."""
    return summed(stage_costs(plan, chain_tokens))


def summed(stages: Iterable[Cost]) -> list[Cost]:
    """Return a line per model and task: the sum of its stages."""
    sums: dict[tuple[str, str], Cost] = {}
    for one in stages:
        line = sums.setdefault((one.model, one.task), Cost(one.model, one.task))
        line.items, line.shards = line.items + one.items, line.shards + one.shards
        line.add(one.requests, one.prompt_tokens, one.distinct_tokens, one.generated_tokens)
    return list(sums.values())


def stage_costs(plan: Plan, chain_tokens: int | None = None) -> list[Cost]:
    """Return the work per model, task, stage and variant, in the spec's order.

    Items and shards are on the line of the plain chains. A helper's work for a probe is on the helper's line of that
    probe.
    """
    spec = plan.spec
    length = chain_tokens or spec.sampling.max_tokens
    sampled = Shape(spec.sampling.chains_per_item, max(1, round(length / TOKENS_PER_STEP)), length)
    names = itertools.product(
        [model.id for model in spec.models],
        [task.name for task in spec.tasks],
        [CHAINS, *(probe.name for probe in plan.probes)],
        plan.resolved.variants,
    )
    lines = {
        (model, task, stage, variant): Cost(model, task, stage=stage, variant=variant)
        for model, task, stage, variant in names
    }
    for subject in plan.resolved.subjects:
        for task in spec.tasks:
            if not spec.answers(subject.spec.id, task.name):
                continue
            line, n_items = lines[subject.spec.id, task.name, CHAINS, PLAIN], len(plan.items[task.name])
            line.items, line.shards = n_items, -(-n_items // spec.resources.shard_size)
            shape = _supplied(plan, subject, task) or sampled
            for strategy, variant in itertools.product(spec.strategies, plan.resolved.variants):
                frame = _frame(plan, subject, task, strategy, variant)
                if shape is sampled:
                    chains = lines[subject.spec.id, task.name, CHAINS, variant]
                    frame.count_sampling(chains, 0, shape.tokens, shape.chains)
                _count_subject(plan, subject, task, strategy, frame, shape, lines)
    return [line for line in lines.values() if line.requests]


def _supplied(plan: Plan, model: ResolvedModel, task: TaskSpec) -> Shape | None:
    """Return the average shape of the chains that come with the task's items; None if an item has no chain."""
    chains = [None if item.supplied is None else item.supplied.steps for item in plan.items[task.name]]
    given = [steps for steps in chains if steps is not None]
    if len(given) < len(chains):
        return None
    tokens = count_tokens(model.codec, ["".join(steps) for steps in given])
    return Shape(1, max(1, round(sum(map(len, given)) / len(given))), round(tokens / len(given)))


def _frame(plan: Plan, model: ResolvedModel, task: TaskSpec, strategy: StrategyName, variant: str) -> _Frame:
    codec, asked = model.codec, STRATEGIES[strategy]
    items = plan.resolved.under(variant, task.name, plan.items[task.name])
    templates = make_templates(model.spec, plan.spec.prompts, codec)
    questions = [asked.prompt(templates, item) for item in items]
    answers = [asked.answer_prompt(templates, item, _MARK) for item in items]
    openings = [text.partition(_MARK)[0] for text in answers]
    written = sum(answer_method(task, item, model.whole_turns) == "generate" for item in items)
    opening = count_tokens(codec, openings)
    return _Frame(
        variant,
        len(items),
        count_tokens(codec, questions),
        opening,
        count_tokens(codec, [text.replace(_MARK, "") for text in answers]) - opening,
        written * plan.spec.sampling.answer_max_tokens,
        2 * plan.spec.sampling.max_subquestions if strategy == "factored_decomposition" else 1,
    )


def _count_subject(
    plan: Plan,
    subject: ResolvedModel,
    task: TaskSpec,
    strategy: StrategyName,
    frame: _Frame,
    shape: Shape,
    lines: Mapping[tuple[str, str, str, str], Cost],
) -> None:
    """Count the answers to one subject's chains of one variant, and all probes on them."""
    own, variant = subject.spec.id, frame.variant
    line = lines[own, task.name, CHAINS, variant]
    frame.count_answer(line, Arm(shape.tokens, fresh=shape.tokens), shape.chains)
    line.distinct_tokens += frame.question + (frame.opening if frame.opening != frame.question else 0)
    for probe in (one for one in plan.probes if variant in plan.resolved.variants_of(one)):
        times = shape.chains if probe.kind.level == "chain" else 1
        if probe.kind.reader_role != READER:
            for name in probe.answering(task.name, own):
                read = reading_work(plan, probe, name, task, strategy, variant, shape.tokens)
                lines[name, task.name, probe.name, variant].count(read, times)
            continue
        with faults_named(f"Planning the arms of {probe.name}", probe.kind.arms, "plan again."):
            arms = list(probe.kind.arms(shape, probe.options))
        for name in probe.answering(task.name, own):
            for arm in arms:
                frame.count_answer(lines[name, task.name, probe.name, variant], arm, times)
            if name != own:  # the reader has not seen the chain
                unseen = frame.opening + times * frame.items * shape.tokens
                lines[name, task.name, probe.name, variant].distinct_tokens += unseen
        for role, model in helpers(plan.spec, subject.spec, [probe]).items():
            work = HELPERS[role].work(plan.spec, plan.models[model.id], arms)
            lines[model.id, task.name, probe.name, variant].count(work, times * frame.items)
