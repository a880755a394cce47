"""The rows in memory: item, answer, chain, observation.

Log-probabilities are natural logarithms (nats). An answer is always in its canonical form: a choice's label ("A"), a
number without separators ("1234", "-0.5"; "1/3" if no decimal is exact), "true" / "false", or text in lower case.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import PLAIN, Turn, Variant

AnswerFormat = Literal["choice", "number", "boolean", "text"]

Channel = Literal["reasoning", "body", "summary"]
"""What a chain's text is: the model's thought, its visible reply, or a summary of its thought that its server made."""
CHANNELS: tuple[str, ...] = get_args(Channel)

CHOICE_LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
READER = "reader"
"""Role of a model that answers the item's own question with a chain that another model wrote."""
RULES = "rules"
"""Reader of the rows that rules made, without a model. A row that failed has its chain's status, or its item's."""


@dataclass(frozen=True)
class Hint:
    """An answer that an item's question points to."""

    answer: str
    """Canonical."""
    style: str | None = None
    """Who hints: "suggestion" (the user), "metadata" (a tag), "authority"."""


@dataclass(frozen=True)
class Supplied:
    """A chain that comes with its item: the run probes it and samples none."""

    steps: tuple[str, ...]
    answer: str | None = None
    """Canonical; null if the file has none that can be read."""
    label: bool | None = None
    """Whether the chain is faithful, according to the file; this is about the chain with ``answer``."""
    step_labels: tuple[bool | None, ...] = ()
    """The same for each step; empty if the file labels no steps."""
    author: str | None = None
    """Who wrote the chain, according to the file."""
    channel: str | None = None
    """What the chain's text is, according to the file: one of ``CHANNELS``."""


@dataclass(frozen=True)
class Item:
    """One question of a task."""

    id: str
    question: str
    gold: str
    """Canonical: a label for ``choice``, "true"/"false" for ``boolean``."""
    answer_format: AnswerFormat
    choices: tuple[str, ...] = ()
    """``choice``: the options' texts, labelled A, B, C... in order. ``boolean``: the words for (true, false).
    ``number``: the closed answer space, if there is one; the question does not show it."""
    difficulty: float | None = None
    """In the task's own unit (operands, steps, operators), larger is harder."""
    metadata: tuple[tuple[str, str], ...] = ()
    """Other facts about the item, for people; no decision depends on them."""
    hint: Hint | None = None
    setting: str | None = None
    """The rule for labelling chains: "outright" (the answer needs ``bottlenecks``), "diversionary" (a wrong hint)."""
    bottlenecks: tuple[str, ...] = ()
    """Values that the right answer needs, in order."""
    supplied: Supplied | None = None
    pair: str | None = None
    """Names the two items of a task that differ in one thing."""
    side: str | None = None
    """Which of the two it is."""
    group: str | None = None
    """Items with the same group are not independent: metrics of pairs count a group as one, others do not use it."""
    unknown: str | None = None
    """Canonical answer that says that the question cannot be decided."""
    stereotype: str | None = None
    """Canonical answer that a stereotype suggests, whatever the question's polarity."""
    examples: tuple[Turn, ...] = ()
    """Worked examples, as earlier turns of every conversation about it."""
    variant: Variant | None = None
    """What an intervention does to it; null: plain."""

    @property
    def variant_name(self) -> str:
        """Its variant, as in the column ``variant``."""
        return PLAIN if self.variant is None else self.variant.name

    @property
    def is_closed(self) -> bool:
        """Whether every possible answer is known, so that all of them can be scored."""
        return self.answer_format != "text" and bool(self.choices)

    @property
    def labels(self) -> tuple[str, ...]:
        """The choice labels, in order; empty unless the format is ``choice``."""
        return tuple(CHOICE_LABELS[: len(self.choices)]) if self.answer_format == "choice" else ()


@dataclass(frozen=True)
class Answer:
    """What the model answered in one arm."""

    status: Status
    value: str | None = None
    """Canonical answer; null unless ``status`` is ok, and in cc_shap and own_answer: nothing is chosen."""
    strict: str | None = None
    """What the strict pattern read (generated answers)."""
    loose: str | None = None
    """What the loose pattern read (generated answers)."""
    text: str | None = None
    """The generated answer text; null for scored answers."""
    candidates: tuple[str, ...] = ()
    """Canonical answers that ``logprobs`` belongs to (scored answers); own_answer: one; cc_shap: one, or the chain."""
    logprobs: tuple[float, ...] = ()
    """log P(candidate | prompt) in nats, not normalised over the candidates."""
    tied: bool | None = None
    """Whether another candidate was exactly as likely, so that a draw decided; null for generated answers."""
    gap: float | None = None
    """Nats between the two likeliest candidates; null for generated answers, and if there is only one candidate."""
    near_tie: bool | None = None
    """Whether the gap is below the engine's precision, or below its measured noise; null for generated answers."""
    prompt_tokens: int | None = None
    error: str | None = None
    no_cot_mechanism: str | None = None
    """How the model was kept from a chain, if it was asked without one: "prefill" (its answer was opened for it),
    "empty_thinking" (so was its answer, after a thought that was closed at once), "score" (nothing was sampled: its
    answer was opened, and each candidate scored), "instruction" (it was told to answer at once, which can leak).
    Null: it was asked with a chain, or not at all."""


@dataclass(frozen=True)
class Chain:
    """One sampled chain of thought of one model on one item."""

    item_id: str
    index: int
    text: str
    steps: tuple[str, ...]
    """``"".join(steps) == text``."""
    answer: Answer
    status: Status
    n_tokens: int | None
    """Null: a server wrote it, or tokenises it, and did not say."""
    finish_reason: str
    """"stop", "length", "forced" (cut at the limit, but still answered), "none", or "supplied": the chain came with its
    item."""
    seed: int | None
    """The seed that it was sampled with; null if it came with its item, or from a server that takes no seeds."""
    prompt: str = ""
    """The whole text that the chain continues."""
    strategy: str = "cot"
    step_unit: str = "sentence"
    """What a step is: "sentence", "line", "paragraph", "subquestion" or "supplied"; "sentence/20": at most 20 of them,
    with neighbours merged."""
    error: str | None = None
    variant: str = "plain"
    """The item under an intervention's arm, or "plain"."""
    intervention: str | None = None
    target: str | None = None
    """Canonical answer that the variant pushes towards; null if there is none."""
    channel: str | None = None
    """What the text is, one of ``CHANNELS``; null: not told apart."""
    author: str | None = None
    """Who wrote it, if it came with its item and the file says; null for sampled chains: the model wrote them."""

    def first(self, steps: int) -> str:
        """Return the text of steps 1..``steps``."""
        return "".join(self.steps[:steps])


@dataclass(frozen=True)
class Edit:
    """A rewritten piece of a chain."""

    text: str
    """The new text, with the white space around the old one; the old text if the edit failed."""
    changed: bool
    """Whether the words differ from the old ones."""
    plausible: bool | None
    """Whether it still reads as a step of such a chain; null: this was not judged."""
    status: Status
    editor: str = ""
    """Who wrote it: "rules", "organism", or a model's id."""
    prompt_hash: str | None = None
    """Which prompt file the editor was given; null for editors by rule."""
    error: str | None = None
    seeds: tuple[int, ...] = ()
    """The seeds that the editor sampled the text with: one for each step that it rewrote."""


@dataclass(frozen=True)
class Observation:
    """One arm's outcome."""

    arm: str
    """Unique within (probe, item, chain)."""
    answer: Answer
    position: float | None = None
    """Where the arm stands on its probe's axis: steps kept, filler repeats."""
    condition: str | None = None
    """The kind of arm, if the probe has several kinds ("paraphrased", "resampled")."""
    chain_index: int | None = None
    """Null for probes on items."""
    reference: Answer | None = field(default=None)
    """The answer that ``same_answer`` compares with: the chain's own."""
    predicts: Answer | None = None
    """The subject's answer that a reader predicts; then ``same_answer`` compares with this one."""
    n_steps: int | None = None
    """Steps of the chain that the arm perturbs."""
    step: int | None = None
    """The step that was edited, deleted or resampled, counted from 1; cc_shap: the question's segment put back last."""
    rollout: int | None = None
    """Which of several samples of the same thing, counted from 0; cc_shap: which order of the segments."""
    text: str | None = None
    """The chain after which the answer was requested; null if steps of the chain itself were kept or left out."""
    n_tokens: int | None = None
    """Tokens that the subject sampled for ``text``."""
    seed: int | None = None
    """The seed that the subject sampled them with; null if it sampled nothing."""
    edit: Edit | None = None
    prompt_hash: str | None = None
    """Which rules or prompt a reader read by; an edit has its own."""
    similarity: float | None = None
    """Similarity of the original's meaning and the new one's, -1 to 1, measured by ``embedder``."""
    embedder: str | None = None
    reader: str | None = None
    """Model that answered; null: the subject itself."""
    reader_role: str | None = None
    """What that model is: "reader" answers the item's question with the chain; "judge", "monitor" and "observer" answer
    a question about the chain, so their answers are neither right nor wrong. Null: the subject itself."""
    shown_choices: tuple[str, ...] = ()
    """The item's own choice labels in the order in which they were shown; empty: in their own order."""
    variant: str = "plain"
    intervention: str | None = None
    target: str | None = None
    channel: str | None = None
    question: str | None = None
    """What a reading was asked about the chain."""
    label: bool | None = None
    """A reading's answer."""
    score: float | None = None
    """The reading's confidence in "yes", 0 to 1."""
    quote: str | None = None
    """The quote that the reading gives as evidence."""
    quote_found: bool | None = None
    """Whether the quote occurs in the text that was read."""
    text_hash: str | None = None
    """sha256 (hex) of the text that was read."""
    read_share: float | None = None
    """The share of that text's characters that the reader saw, above 0 and below 1; null: all of it."""
    hint_asked: str | None = None
    """The hint that the question is about, if it is not the variant's own."""
    weight: float | None = None
    """The row's weight in a rate, if rows were drawn with unequal chances; null: 1."""
    graded: bool = True
    """Whether the answer is one to the item's own question. If not, it is neither right nor wrong."""
