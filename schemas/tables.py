"""Explicit Arrow schemas of everything that a run writes. No inferred types.

Texts live once, in ``chains``; observations refer to them by (model, task, item_id, chain_index).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 6
OLDEST_VERSION = 2
"""The oldest version whose files can still be read: columns that they lack are null."""

_KEY = [
    pa.field("run_id", pa.string(), nullable=False),
    pa.field("model", pa.string(), nullable=False),
    pa.field("task", pa.string(), nullable=False),
    pa.field("item_id", pa.string(), nullable=False),
]
_ANSWER = [
    pa.field("status", pa.string(), nullable=False),
    pa.field("error", pa.string()),
    pa.field("answer", pa.string()),  # canonical; null unless ok
    pa.field("answer_strict", pa.string()),
    pa.field("answer_loose", pa.string()),
    pa.field("answer_text", pa.string()),
    pa.field("candidates", pa.list_(pa.string())),
    pa.field("candidate_logprobs", pa.list_(pa.float64())),  # nats, not normalised over the candidates
    pa.field("tied", pa.bool_()),  # two candidates were equally likely, and a draw decided; null for generated answers
    pa.field("gap", pa.float64()),  # nats between the two likeliest candidates; null for generated answers
    pa.field("near_tie", pa.bool_()),  # gap below what the engine's precision can tell; null for generated answers
    pa.field("p_gold", pa.float64()),  # normalised over the candidates; null for generated answers
    pa.field("correct", pa.bool_()),
    pa.field("prompt_tokens", pa.int32()),
    pa.field("seed", pa.int64()),  # of the text that the subject sampled; null if it sampled none
]
_VARIANT = [
    pa.field("variant", pa.string()),  # the item under an intervention's arm, or "plain"
    pa.field("intervention", pa.string()),  # null on plain items
    pa.field("target", pa.string()),  # answer that the variant pushes towards; null if there is none
    pa.field("channel", pa.string()),  # what the chain's text is: reasoning, body, summary; null: not told apart
    pa.field("no_cot_mechanism", pa.string()),  # how an answer without a chain was obtained; null with a chain
]


def _schema(name: str, fields: list[pa.Field]) -> pa.Schema:
    metadata = {"cotfaith.table": name, "cotfaith.schema_version": str(SCHEMA_VERSION)}
    return pa.schema([pa.field("schema_version", pa.int32(), nullable=False), *fields], metadata=metadata)


ITEMS = _schema(
    "items",
    [
        *_KEY,
        pa.field("question", pa.string()),
        pa.field("choices", pa.list_(pa.string())),
        pa.field("answer_format", pa.string(), nullable=False),
        pa.field("gold", pa.string()),  # null: not known, so that nothing is graded
        pa.field("difficulty", pa.float64()),
        pa.field("metadata", pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))),
        pa.field("hint", pa.string()),  # canonical answer that the question points to
        pa.field("hint_style", pa.string()),  # suggestion, metadata, authority
        pa.field("setting", pa.string()),  # the rule for labelling chains: outright, diversionary
        pa.field("bottlenecks", pa.list_(pa.string())),  # values that the right answer needs
        pa.field("supplied_steps", pa.list_(pa.string())),  # the chain that came with the item
        pa.field("supplied_answer", pa.string()),
        pa.field("supplied_label", pa.bool_()),  # true: faithful, according to the item's file
        pa.field("supplied_step_labels", pa.list_(pa.bool_())),
        pa.field("supplied_author", pa.string()),  # who wrote that chain, according to the file
        pa.field("supplied_channel", pa.string()),  # what its text is, according to the file
        pa.field("pair", pa.string()),  # names two items that differ in one thing
        pa.field("side", pa.string()),  # which of the two
        pa.field(
            "group", pa.string()
        ),  # items with the same group are not independent; metrics of pairs count them as one
        pa.field("unknown", pa.string()),  # canonical answer that says that the question cannot be decided
        pa.field("stereotype", pa.string()),  # canonical answer that a stereotype suggests
        pa.field("weight", pa.int64()),  # how many alike items the row stands for; null: it is one
    ],
)
CHAINS = _schema(
    "chains",
    [
        *_KEY,
        pa.field("chain_index", pa.int32(), nullable=False),
        pa.field("strategy", pa.string(), nullable=False),
        pa.field("prompt", pa.string()),
        pa.field("text", pa.string()),
        pa.field("steps", pa.list_(pa.string())),
        pa.field("n_steps", pa.int32()),
        pa.field("step_unit", pa.string(), nullable=False),  # "sentence", ...; "sentence/20": at most 20 of them
        pa.field("n_tokens", pa.int32()),
        pa.field("finish_reason", pa.string()),  # supplied: the chain came with its item, and was not sampled
        pa.field("author", pa.string()),  # who wrote a supplied chain; null: unknown, or the model itself
        *_ANSWER,
        pa.field("answer_status", pa.string(), nullable=False),
        *_VARIANT,
    ],
)
OBSERVATIONS = _schema(
    "observations",
    [
        *_KEY,
        pa.field("chain_index", pa.int32()),  # null for probes on items
        pa.field("strategy", pa.string(), nullable=False),
        pa.field("probe", pa.string(), nullable=False),
        pa.field("arm", pa.string(), nullable=False),  # a name for people; nothing is read out of it
        pa.field("condition", pa.string()),  # the kind of arm, if the probe has several kinds
        pa.field("position", pa.float64()),
        pa.field("n_steps", pa.int32()),
        pa.field("step", pa.int32()),  # the step that was edited, deleted or resampled, from 1
        pa.field("rollout", pa.int32()),  # which of several samples, from 0
        pa.field("text", pa.string()),  # the chain before the answer, if it is not made of the chain's steps
        pa.field("n_tokens", pa.int32()),  # sampled for ``text``
        pa.field("edit", pa.string()),  # what an editor wrote
        pa.field("edit_changed", pa.bool_()),
        pa.field("edit_plausible", pa.bool_()),  # null if this was not judged
        pa.field("edit_seeds", pa.list_(pa.int64())),  # seeds that the editor sampled with, one for each step
        pa.field("editor", pa.string()),  # a model's id, or the name of the rules
        pa.field(
            "prompt_hash", pa.string()
        ),  # of the editor's or the reader's prompt file, or a judge's rules; null for rules that edit
        pa.field("similarity", pa.float64()),  # between the original's meaning and the new one's, -1 to 1
        pa.field("embedder", pa.string()),  # what measured it
        pa.field("shown_choices", pa.list_(pa.string())),  # own labels in the order shown; null: in their own order
        pa.field("reader", pa.string()),  # model that answered; null: the subject
        pa.field("reader_role", pa.string()),  # reader, judge, monitor, observer; null: the subject
        pa.field("question", pa.string()),  # what a reading was asked about the chain
        pa.field("label", pa.bool_()),  # a reading's answer
        pa.field("score", pa.float64()),  # confidence in "yes", 0 to 1
        pa.field("quote", pa.string()),
        pa.field("quote_found", pa.bool_()),  # whether the quote occurs in the text that was read
        pa.field("text_hash", pa.string()),  # sha256 of that text
        pa.field("read_share", pa.float64()),  # share of its characters that the reader saw; null: all
        pa.field("hint_asked", pa.string()),  # the hint that the question is about, if not the variant's own
        pa.field("weight", pa.float64()),  # the row's weight in a rate; null: 1
        *_ANSWER,
        pa.field("reference_answer", pa.string()),
        # answer == reference_answer, or for an observer the subject's answer that it predicts; null unless both are ok
        pa.field("same_answer", pa.bool_()),
        *_VARIANT,
    ],
)
ESTIMATES = _schema(
    "estimates",
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("strategy", pa.string(), nullable=False),
        pa.field("probe", pa.string()),  # null if the metric belongs to the chains
        pa.field("metric", pa.string(), nullable=False),
        pa.field("method", pa.string()),  # variant of the metric, such as the integration rule
        pa.field("position", pa.float64()),  # for curves: the place on the probe's axis
        pa.field("value", pa.float64()),  # null if undefined
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        pa.field("interval", pa.string()),  # how the interval was made, or why there is none
        pa.field("n_total", pa.int64(), nullable=False),  # rows that should have counted
        pa.field("n_ok", pa.int64(), nullable=False),  # rows that did
        pa.field("n_items", pa.int64(), nullable=False),  # clusters behind them
        # the same without answers that were near ties; null if that changes nothing
        pa.field("clear_value", pa.float64()),
        pa.field("clear_low", pa.float64()),
        pa.field("clear_high", pa.float64()),
        pa.field("clear_n_ok", pa.int64()),
        pa.field("least", pa.float64()),  # the value if all failed rows were as small as possible
        pa.field("most", pa.float64()),  # the same, as large as possible; both null for metrics without bounds
        pa.field("n_arms", pa.int64()),  # arms that the rows are made of, if the rows are chains
        pa.field("n_arms_ok", pa.int64()),  # arms that did not fail
        pa.field("variant", pa.string()),  # "plain", or the intervention's arm that the rows are of
        pa.field("channel", pa.string()),  # what the chains' texts are; null: not told apart
        # model, or "rules", that read what the figure rests on; null: nobody, or two, whom the method names
        pa.field("reader", pa.string()),
        pa.field("n_eff", pa.float64()),  # number of independent items with the same information; null: not computed
        pa.field("withheld", pa.string()),  # why the value is withheld; null: it is not
        # the ends at this position of a band that holds at all positions at once; null unless items share positions
        pa.field("band_low", pa.float64()),
        pa.field("band_high", pa.float64()),
        pa.field("detectable", pa.float64()),  # smallest distance from a fixed value found with 80% power at level .05
    ],
)

COMPARISONS = _schema(
    "comparisons",
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # standardised_difference, matched, ...
        pa.field("task", pa.string()),  # null: over tasks
        pa.field("strategy", pa.string(), nullable=False),
        pa.field("channel", pa.string()),  # what the chains' texts are; null: not told apart
        pa.field("metric", pa.string(), nullable=False),
        pa.field("method", pa.string()),
        pa.field("model_a", pa.string()),  # the value is that of model a minus that of model b
        pa.field("model_b", pa.string()),  # null: the figure is not of two models
        pa.field("family", pa.string()),  # models that differ in size only; null: the figure is not of a family
        pa.field("at", pa.float64()),  # the loss, size or performance at which the value is read
        pa.field("value", pa.float64()),  # null if undefined
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        pa.field("interval", pa.string()),  # how the interval was made, or why there is none
        pa.field("p_value", pa.float64()),  # of no difference, or no slope; two-sided
        pa.field("n_items", pa.int64(), nullable=False),
        pa.field("n_models", pa.int64(), nullable=False),
        pa.field("support", pa.float64()),  # share of the items on which the models can be compared
    ],
)

QUESTIONS = ("needed", "made_in_it", "says", "readable", "caught")
"""What is asked about a model's chains before they are trusted."""


def _answered(question: str) -> list[pa.Field]:
    """Return the columns of one question of a verdict."""
    return [
        pa.field(f"{question}_outcome", pa.string(), nullable=False),  # passes, fails or open
        pa.field(f"{question}_p_value", pa.float64()),  # one-sided; corrected for other questions and cells if it fails
        pa.field(f"{question}_value", pa.float64()),  # of the figure that decides it
        pa.field(f"{question}_low", pa.float64()),  # of its 95% interval
        pa.field(f"{question}_high", pa.float64()),
        pa.field(f"{question}_n_items", pa.int64(), nullable=False),
        pa.field(f"{question}_figure", pa.string(), nullable=False),  # its metric, and the variant; "": none
        pa.field(f"{question}_why", pa.string(), nullable=False),
    ]


VERDICTS = _schema(
    "verdicts",
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("strategy", pa.string(), nullable=False),
        pa.field("channel", pa.string()),  # what the chains' texts are; null: not told apart
        pa.field("stratum", pa.string(), nullable=False),  # which items the verdict speaks of
        pa.field("verdict", pa.string(), nullable=False),  # trust, do_not_trust or not_enough_evidence
        pa.field("p_value", pa.float64()),  # corrected for all cells of the run; null: there is no test
        pa.field("n_items", pa.int64(), nullable=False),
        pa.field("share", pa.float64()),  # of the items that need the chain, with its 95% interval; null: not known
        pa.field("share_low", pa.float64()),
        pa.field("share_high", pa.float64()),
        *(column for question in QUESTIONS for column in _answered(question)),
        pa.field("change", pa.list_(pa.string()), nullable=False),  # what would change it, most useful first
        pa.field("policy_hash", pa.string(), nullable=False),
        pa.field("level", pa.float64(), nullable=False),  # of the policy, one-sided
    ],
)

TABLES: dict[str, pa.Schema] = {
    "items": ITEMS,
    "chains": CHAINS,
    "observations": OBSERVATIONS,
    "estimates": ESTIMATES,
    "comparisons": COMPARISONS,
    "verdicts": VERDICTS,
}


def table_of(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return ``rows`` as the table ``name``; a row may leave out columns that may be null, and has no others."""
    found, schema = list(rows), TABLES[name]
    columns = set(schema.names)
    for row in found:
        assert row.keys() <= columns, f"{name} has no column {', '.join(sorted(row.keys() - columns))}"
    return pa.Table.from_pylist(found, schema=schema)
