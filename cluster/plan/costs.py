"""Plan -> what it costs: requests and tokens per model and task, before any weights load.

Upper bounds, if every chain is as long as is said: continuations run to that length too, edits are as long as what
they replace and made at the first try. A model's line holds what its engine does: its own chains and probes, what it
reads and edits for others. A reader's prompts are counted by the author's tokenizer. Chains that come with their items
are as long as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cotfaith.cluster.plan.plan import Plan
from cotfaith.cluster.plan.roles import helpers, readers
from cotfaith.schemas.spec import ModelSpec, StrategyName, TaskSpec
from cotfaith.workers.probes import find_probe
from cotfaith.workers.probes.lib.probe import Arm, Shape
from cotfaith.workers.roles.editors.prompt import PROMPT_KINDS, find_prompt
from cotfaith.workers.shard.work import answer_method
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.text.codec import Codec, load_codec
from cotfaith.workers.text.templates import Templates

TOKENS_PER_STEP = 20  # assumed where no chain has been sampled yet
_MARK = "\u241echain\u241e"  # stands for the chain while a prompt is measured


@dataclass
class Cost:
    """What one model's engine does for one task."""

    model: str
    task: str
    items: int = 0
    """Whose chains it writes."""
    shards: int = 0
    requests: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    """Each prompt counted whole."""
    distinct_tokens: int = 0
    """Each prefix that an item's prompts share counted once: what the prefix tree computes."""

    @property
    def tokens(self) -> int:
        """Of prompts and generated: what the rate of a run is counted in."""
        return self.prompt_tokens + self.generated_tokens

    def add(self, requests: int, prompt: int, distinct: int, generated: int, times: int = 1) -> None:
        """Count work that is done ``times`` times."""
        self.requests += times * requests
        self.prompt_tokens += times * prompt
        self.distinct_tokens += times * distinct
        self.generated_tokens += times * generated


@dataclass(frozen=True)
class _Frame:
    """The tokens around the chains of a task's items, for one model and strategy, summed over the items."""

    items: int
    question: int
    """Before the chain, where it is sampled."""
    opening: int
    """Before the chain, where the answer is asked for: the same under plain chain of thought alone."""
    suffix: int
    """From a chain's end to the answer."""
    answer: int
    """Generated for answers; 0 where they are scored."""
    samplings: int
    """Texts that one chain is sampled in, at most."""

    def count_sampling(self, line: Cost, kept: int, new: int, times: int) -> None:
        """Count ``new`` tokens after ``kept`` of a chain. In several texts, each comes after half of it on average."""
        prompt = self.samplings * (self.question + self.items * kept) + self.items * (self.samplings - 1) * new // 2
        line.add(self.samplings * self.items, prompt, 0, self.items * new, times)

    def count_answer(self, line: Cost, arm: Arm, times: int) -> None:
        """Count one arm of every item, and what is sampled for it."""
        chain, fresh = self.items * arm.chain_tokens, self.items * arm.fresh
        line.add(self.items, self.opening + chain + self.suffix, fresh + self.suffix, self.answer, times)
        if arm.generated:
            self.count_sampling(line, arm.chain_tokens - arm.generated, arm.generated, times)


def costs(plan: Plan, chain_tokens: int | None = None) -> list[Cost]:
    """Return the work per model and task; chains of ``chain_tokens`` tokens, by default the longest allowed."""
    spec = plan.spec
    length = chain_tokens or spec.sampling.max_tokens
    sampled = Shape(spec.sampling.chains_per_item, max(1, round(length / TOKENS_PER_STEP)), length)
    lines = {(model.id, task.name): Cost(model.id, task.name) for model in spec.models for task in spec.tasks}
    for subject in spec.subjects:
        for task in spec.tasks:
            line, n_items = lines[subject.id, task.name], len(plan.items[task.name])
            line.items, line.shards = n_items, len(spec.strategies) * -(-n_items // spec.resources.shard_size)
            shape = _supplied(plan, subject, task) or sampled
            for strategy in spec.strategies:
                frame = _frame(plan, subject, task, strategy)
                if shape is sampled:
                    frame.count_sampling(line, 0, shape.tokens, shape.chains)
                _count_subject(plan, subject, task, frame, shape, lines)
    return [line for line in lines.values() if line.requests]


def _supplied(plan: Plan, model: ModelSpec, task: TaskSpec) -> Shape | None:
    """Return the average of the chains that the task's items come with; None if some come without."""
    chains = [None if item.supplied is None else item.supplied.steps for item in plan.items[task.name]]
    given = [steps for steps in chains if steps is not None]
    if len(given) < len(chains):
        return None
    tokens = _tokens(load_codec(model), ["".join(steps) for steps in given])
    return Shape(1, max(1, round(sum(map(len, given)) / len(given))), round(tokens / len(given)))


def _frame(plan: Plan, model: ModelSpec, task: TaskSpec, strategy: StrategyName) -> _Frame:
    codec, asked, items = load_codec(model, plan.date), STRATEGIES[strategy], plan.items[task.name]
    templates = Templates(model, plan.spec.prompts, codec)
    questions = [asked.prompt(templates, item) for item in items]
    answers = [asked.answer_prompt(templates, item, _MARK) for item in items]
    openings = [text.partition(_MARK)[0] for text in answers]
    written = sum(answer_method(task, item) == "generate" for item in items)
    opening = _tokens(codec, openings)
    return _Frame(
        len(items),
        _tokens(codec, questions),
        opening,
        _tokens(codec, [text.replace(_MARK, "") for text in answers]) - opening,
        written * plan.spec.sampling.answer_max_tokens,
        2 * plan.spec.sampling.max_subquestions if strategy == "factored_decomposition" else 1,
    )


def _tokens(codec: Codec, texts: Sequence[str]) -> int:
    return sum(map(len, codec.encode_all(texts)))


def _count_subject(
    plan: Plan, subject: ModelSpec, task: TaskSpec, frame: _Frame, shape: Shape, lines: Mapping[tuple[str, str], Cost]
) -> None:
    """Count the answers to one subject's chains, and all probes on them."""
    line = lines[subject.id, task.name]
    frame.count_answer(line, Arm(shape.tokens, fresh=shape.tokens), shape.chains)
    line.distinct_tokens += frame.question + (frame.opening if frame.opening != frame.question else 0)
    for spec in plan.spec.probes:
        probe, options = find_probe(spec)
        times = shape.chains if probe.level == "chain" else 1
        arms = probe.arms(shape, options)
        for name in readers(plan.spec, spec) or [subject.id]:
            for arm in arms:
                frame.count_answer(lines[name, task.name], arm, times)
            if name != subject.id:  # the reader has not seen the chain
                lines[name, task.name].distinct_tokens += frame.opening + times * frame.items * shape.tokens
        for role, model in helpers(plan.spec, subject, [spec]).items():
            count = _count_edits if role == "editor" else _count_vectors
            count(plan, lines[model.id, task.name], model, arms, times * frame.items)


def _count_edits(plan: Plan, line: Cost, model: ModelSpec, arms: Sequence[Arm], times: int) -> None:
    """Count the requests to the editor, with what it is shown of the chain and what it writes."""
    codec = load_codec(model)
    prompt = max(len(codec.encode(find_prompt(kind, plan.spec.editor).text)) for kind in PROMPT_KINDS)
    for arm in arms:
        if arm.edits:
            line.add(arm.edits, arm.edits * prompt + 2 * arm.edited, 2 * arm.edited, arm.edited, times)


def _count_vectors(plan: Plan, line: Cost, model: ModelSpec, arms: Sequence[Arm], times: int) -> None:
    """Count the two texts of each comparison."""
    line.add(2, 2 * TOKENS_PER_STEP, 2 * TOKENS_PER_STEP, 0, times * len(arms))
