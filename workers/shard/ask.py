"""What a probe can ask for: requests in the probe's terms, answers back.

An ``Ask`` is bound to one item, one model and one random stream. It turns "the answer after the first three steps" into
token ids, and an engine's reply into an ``Answer``. It never calls an engine: the shard loop does, for all probes at
once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cotfaith.schemas.records import Answer, Chain, Item, Observation
from cotfaith.schemas.seeds import derive_seed
from cotfaith.schemas.spec import SamplingSpec, StepsSpec
from cotfaith.schemas.status import Status
from cotfaith.workers.engines.protocol import Capabilities, GenerateRequest, Generation
from cotfaith.workers.roles.editors.base import Editing, EditKind, Editor, Question
from cotfaith.workers.roles.embedders.base import Comparing, Embedder
from cotfaith.workers.shard.request import Request as Request
from cotfaith.workers.shard.request import score_request
from cotfaith.workers.strategies.base import Continuation as Continuation
from cotfaith.workers.strategies.base import Continuing, Strategy
from cotfaith.workers.tasks.generators.generator import Vary
from cotfaith.workers.text.answers import likelihood, read_answer, scored_answer
from cotfaith.workers.text.codec import Codec
from cotfaith.workers.text.questions import question_text, written
from cotfaith.workers.text.steps import merge_steps
from cotfaith.workers.text.templates import Templates
from cotfaith.workers.text.ties import ranks

CHAIN_TEXT = "chain"
"""The candidate of rows that say how likely a chain is."""
Held = Mapping[tuple[str | None, ...], Observation]
"""Readings by what they depend on (``readings.held``)."""


@dataclass
class Ask:
    """Builds the requests of one probe on one item or chain."""

    item: Item
    templates: Templates
    codec: Codec
    sampling: SamplingSpec
    answer_by: str
    """"score" or "generate"."""
    stream: tuple[str | int, ...]
    """(run seed, model, task, item, chain, probe): the root of this probe's random streams."""
    strategy: Strategy
    editor: Editor
    embedder: Embedder
    tie_stream: tuple[str | int, ...] = ()
    """(run seed, task): with the item's id it decides exact ties, the same way in all arms, shuffles and models."""
    steps: StepsSpec = field(default_factory=StepsSpec)
    can: Capabilities | None = None
    """What the engine that answers can do; null: the probe is not told."""
    held: Held = field(default_factory=dict)
    """The readings that the run's folder has already."""
    hints: Callable[[], Mapping[str, str | None]] = dict
    """The run's interventions -> the answer to which each would push the item (``ShardWork``)."""
    read: tuple[Observation, ...] = ()
    """The ok rows on the chain of the probe that this one reads, in their order."""
    vary: Vary | None = None
    """How the task's generator changes a question; None: it does not, or the task has none."""
    _count: int = field(default=0, init=False)

    def about(self, question: str, which: int) -> "Ask":
        """Return the same with another question in place of the item's; ``which`` tells its random streams apart."""
        item = replace(self.item, question=question, supplied=None)
        return replace(self, item=item, stream=(*self.stream, which))

    def rests(self, prefixes: Sequence[str]) -> Continuing:
        """Sample what follows each beginning of a chain; use with ``yield from``.

        A continuation follows its prefix without the white space at the prefix's end: see ``whole``.
        """
        return self.strategy.continue_chains(self, prefixes)

    def edits(self, kind: EditKind, steps: Sequence[str]) -> Editing:
        """Have the editor rewrite each step, or the part of it that the strategy allows; use with ``yield from``."""
        parts = [self.strategy.editable(step) for step in steps]
        edits = yield from self.editor.edit(kind, [part for _, part in parts], [self.next_seed() for _ in steps])
        return [replace(edit, text=kept + edit.text) for (kept, _), edit in zip(parts, edits, strict=True)]

    def questions(self, chain_text: str, count: int) -> Editing:
        """Have the editor write other questions that the chain helps to answer; use with ``yield from``."""
        old = Question(self.item.question, question_text(self.item), chain_text)
        return self.editor.questions(old, [self.next_seed() for _ in range(count)])

    def similarities(self, pairs: Sequence[tuple[str, str]]) -> Comparing:
        """Have the embedder compare each pair, -1 to 1; use with ``yield from``."""
        return self.embedder.similarities(pairs)

    def split(self, chain_text: str) -> tuple[str, ...]:
        """Return the steps of a chain; joined, they are its text."""
        return self.merge(self.strategy.split(chain_text, self.steps.unit))

    def merge(self, steps: Sequence[str]) -> tuple[str, ...]:
        """Merge neighbouring steps if there are more than the spec allows."""
        return merge_steps(steps, self.steps.max_segments)

    def next_step(self, rest: str, like: str) -> str:
        """Return the beginning of ``rest`` that is as many sentences (lines...) long as the step ``like``."""
        count = len(self.strategy.split(like, self.steps.unit))
        return "".join(self.strategy.split(rest, self.steps.unit)[: max(1, count)])

    def step_unit(self, supplied: bool) -> str:
        """Return the name of a step's unit in the rows."""
        unit = "supplied" if supplied else self.strategy.step_unit(self.steps.unit)
        return unit if self.steps.max_segments is None else f"{unit}/{self.steps.max_segments}"

    def sample(
        self, prompt: str, stop: tuple[str, ...] = (), seed: int | None = None, max_tokens: int | None = None
    ) -> Request:
        """Ask for a sampled continuation of ``prompt``, by the spec's sampling; by default with the next seed."""
        sampling = self.sampling
        payload = GenerateRequest(
            self.codec.encode(prompt),
            max_tokens or sampling.max_tokens,
            sampling.temperature,
            sampling.top_p,
            self.next_seed() if seed is None else seed,
            stop,
        )
        return Request(
            payload,
            lambda generation: self._continuation(payload, generation),
            lambda status, error: Continuation(status, seed=payload.seed, error=error),
        )

    def answer_after(self, chain: Chain, steps: int) -> Request:
        """Ask for the answer after steps 1..``steps`` of ``chain``."""
        return self.answer_with(chain.first(steps))

    def answer_with(self, chain_text: str) -> Request:
        """Ask for the answer with ``chain_text`` in the chain's place; without words it is an answer without a chain.

        A chain in its place says what the model thought, so no mechanism keeps the model from one.
        """
        asked = self._answer(self.strategy.answer_prompt(self.templates, self.item, chain_text))
        return asked if chain_text.strip() else asked.then(self._without_cot)

    def answer_without_cot(self) -> Request:
        """Ask for the answer without a chain."""
        return self._answer(self.templates.no_cot(self.item)).then(self._without_cot)

    def _without_cot(self, answer: Answer) -> Answer:
        """Return the answer, which says how the model was kept from a chain."""
        how = self.templates.no_cot_mechanism
        return replace(answer, no_cot_mechanism="score" if how == "prefill" and self.answer_by == "score" else how)

    def answer_likelihood(self, answer: str, chain_text: str | None = None, spelled: str | None = None) -> Request:
        """Ask how likely the canonical ``answer`` is without a chain, or with ``chain_text`` in the chain's place.

        The result's only candidate is this answer. ``spelled``: how a text is written; canonical texts are in lower
        case.
        """
        words = spelled if spelled and self.item.answer_format == "text" else written(self.item, answer)
        said = self.codec.plain(answer if self.item.answer_format == "choice" else f" {words}")
        if chain_text is None:
            return self._likelihood(self.templates.no_cot(self.item), said, answer).then(self._without_cot)
        asked = self._likelihood(self.strategy.answer_prompt(self.templates, self.item, chain_text), said, answer)
        return asked if chain_text.strip() else asked.then(self._without_cot)

    def chain_likelihood(self, chain_text: str) -> Request:
        """Ask how likely the chain is; the result's only candidate is ``CHAIN_TEXT``."""
        prompt = self.strategy.prompt(self.templates, self.item)
        return self._likelihood(prompt, self.codec.plain(chain_text), CHAIN_TEXT)

    def _likelihood(self, prompt: str, text: str, name: str) -> Request:
        """Ask for the log-probability of ``text`` after ``prompt``: an ok ``Answer`` that chooses nothing."""
        payload = score_request(self.codec, prompt, [text])
        count = len(payload.prompt) + len(payload.candidates[0])
        return Request(
            payload,
            lambda logprobs: replace(likelihood(name, logprobs[0]), prompt_tokens=count),
            lambda status, error: Answer(status, error=error, prompt_tokens=count),
        )

    def answer_at(self, prompt: str) -> Request:
        """Ask for the answer at the end of a prompt."""
        return self._answer(prompt)

    def _answer(self, prompt: str) -> Request:
        return self._scored(prompt) if self.answer_by == "score" else self._generated(prompt)

    def _scored(self, prompt: str) -> Request:
        values, words = candidates(self.item)
        payload = score_request(self.codec, prompt, words)
        if _one_opens_another(payload.candidates):  # " 1" would always beat " 12", which its probability includes
            payload = score_request(self.codec, prompt, [f"{word}." for word in words])
        count, answer = len(payload.prompt), _alike(values, payload.candidates)
        said = self.item.choices if self.item.answer_format == "choice" else values
        rank = ranks((*self.tie_stream, self.item.id), said)
        return Request(
            payload,
            lambda logprobs: replace(answer or scored_answer(values, logprobs, rank), prompt_tokens=count),
            lambda status, error: Answer(status, error=error, prompt_tokens=count),
        )

    def _generated(self, prompt: str) -> Request:
        tokens, sampling = self.codec.encode(prompt), self.sampling
        payload = GenerateRequest(
            tokens,
            sampling.answer_max_tokens,
            0.0,
            1.0,
            self.next_seed(),
            self.templates.answer_stops,
            one_of=_words(self.item),
        )
        count = None if self.codec.whole_turns else len(tokens)
        return Request(
            payload,
            lambda generation: self._read(payload, generation, count),
            lambda status, error: Answer(status, error=error, prompt_tokens=count),
        )

    def _read(self, asked: GenerateRequest, generation: Generation, count: int | None) -> Answer:
        told = generation.told
        text = self.codec.continuation(asked.prompt, generation.tokens)
        if told.status is not Status.OK:
            return Answer(told.status, text=text or None, error=told.error, prompt_tokens=told.prompt_tokens)
        answer = read_answer(self.item, text, cut=generation.finish_reason == "length")
        return replace(answer, prompt_tokens=told.prompt_tokens if count is None else count)

    def cut(self, error: str | None = None) -> Continuation:
        """Return the outcome of a text that a limit cut; with budget forcing it counts as a whole one."""
        if self.sampling.budget_forcing:
            return Continuation(Status.OK, finish_reason="forced")
        reason = error or f"The limit of {self.sampling.max_tokens} tokens cut the text."
        return Continuation(Status.TRUNCATED, finish_reason="length", error=reason)

    def next_seed(self) -> int:
        """Return the next seed of this probe's random streams."""
        self._count += 1
        return derive_seed(*self.stream, self._count)

    def _continuation(self, asked: GenerateRequest, generation: Generation) -> Continuation:
        told = generation.told
        whole = Continuation(told.status, finish_reason=generation.finish_reason, error=told.error)
        text = self.codec.continuation(asked.prompt, generation.tokens)
        cut = generation.finish_reason == "length" and told.status is Status.OK
        count = told.generated_tokens if self.codec.whole_turns else len(generation.tokens)
        seed = asked.seed if told.seeded else None
        return replace(self.cut() if cut else whole, text=text, n_tokens=count, seed=seed, channel=told.channel)


def whole(prefix: str, rest: Continuation) -> str:
    """Return the chain that a continuation of ``prefix`` makes."""
    return prefix.rstrip() + rest.text


def candidates(item: Item) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the canonical answers that can be scored, and how each is written after the answer's opening."""
    if item.answer_format == "choice":
        return item.labels, item.labels
    if item.answer_format == "number":
        return item.choices, tuple(f" {number}" for number in item.choices)
    return ("true", "false"), tuple(f" {word}" for word in item.choices)


def _words(item: Item) -> tuple[str, ...]:
    """Return the replies that a generated answer is limited to, where an engine can limit it."""
    return item.labels or (item.choices if item.answer_format == "boolean" else ())


def _alike(values: Sequence[str], tokens: Sequence[tuple[int, ...]]) -> Answer | None:
    """Return a failure if two candidates are the same tokens (two unknown words): their scores cannot differ."""
    first: dict[tuple[int, ...], str] = {}
    for value, ids in zip(values, tokens, strict=True):
        if (other := first.setdefault(ids, value)) != value:
            error = f"The model's tokenizer writes the candidates {other!r} and {value!r} alike: none can be chosen."
            return Answer(Status.ITEM_ERROR, error=error)
    return None


def _one_opens_another(candidates: Sequence[tuple[int, ...]]) -> bool:
    return any(a != b and b[: len(a)] == a for a in candidates for b in candidates)
