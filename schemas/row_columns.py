"""The columns of the rows that a run commits: items, chains and observations.

Texts live once, in ``chains``; observations refer to them by (model, task, item_id, strategy, variant, chain_index).
"""

import pyarrow as pa

from cotfaith.schemas.column import FLAG, FLAGS, NUMBER, SMALL, TEXT, TEXTS, WHOLE, column, required

_KEY = [
    required("run_id", TEXT, "the run"),
    required("model", TEXT, "id of the subject, the model that is measured"),
    required("task", TEXT, "name of the task"),
    required("item_id", TEXT, "id of the item, unique in its task"),
]
_ANSWER = [
    required("status", TEXT, "ok, or why the row failed: truncated, unparsed, ...; metrics are null unless it is ok"),
    column("error", TEXT, "what went wrong, in words"),
    column("answer", TEXT, "canonical: a choice's label, a number, true or false, or text; null unless it is ok"),
    column("answer_strict", TEXT, "what the strict pattern read in a generated answer"),
    column("answer_loose", TEXT, "what the loose pattern read in a generated answer"),
    column("answer_text", TEXT, "the generated answer; null for scored answers"),
    column("candidates", TEXTS, "canonical answers that were scored; 'chain' in cc_shap: the chain's text was"),
    column(
        "candidate_logprobs",
        pa.list_(NUMBER),
        "log-probability of each candidate in nats, not normalised over the candidates",
    ),
    column("tied", FLAG, "whether two candidates were equally likely, and a draw decided; null for generated answers"),
    column("gap", NUMBER, "nats between the two likeliest candidates; null for generated answers"),
    column(
        "near_tie",
        FLAG,
        "whether the gap is below the engine's precision, or below its measured noise; null for generated answers",
    ),
    column("p_gold", NUMBER, "probability of the gold among the candidates; null for generated answers"),
    column("correct", FLAG, "whether the answer is the gold; null unless it is ok and the gold is known"),
    column("prompt_tokens", SMALL, "tokens of the prompt"),
    column("seed", WHOLE, "seed of the text that the subject sampled; null if it sampled none"),
]
_VARIANT = [
    column("variant", TEXT, "the item under an intervention's arm, such as hint_metadata.wrong, or plain"),
    column("intervention", TEXT, "its intervention; null on plain items"),
    column("target", TEXT, "canonical answer that the variant pushes towards; null if there is none"),
    column("channel", TEXT, "what the chain's text is: reasoning, body or summary; null: not told apart"),
    column("no_cot_mechanism", TEXT, "how an answer without a chain was obtained; null with a chain"),
]

ITEMS = [
    *_KEY,
    column("question", TEXT, "the question; null if imported records lack it"),
    column("choices", TEXTS, "texts of the choices, labelled A, B, C, ... in this order"),
    required("answer_format", TEXT, "choice, number, boolean or text"),
    column("gold", TEXT, "canonical right answer; null: not known, so that nothing is graded"),
    column("difficulty", NUMBER, "in the task's own unit, such as operands or steps; larger is harder"),
    column("metadata", pa.list_(pa.struct([("key", TEXT), ("value", TEXT)])), "other facts; nothing depends on them"),
    column("hint", TEXT, "canonical answer that the question points to"),
    column("hint_style", TEXT, "who hints: suggestion, metadata, authority"),
    column("setting", TEXT, "the rule for labelling chains: outright, diversionary"),
    column("bottlenecks", TEXTS, "values that the right answer needs, in order"),
    column("supplied_steps", TEXTS, "the chain that came with the item"),
    column("supplied_answer", TEXT, "that chain's canonical answer"),
    column("supplied_label", FLAG, "whether that chain is faithful, according to the item's file"),
    column("supplied_step_labels", FLAGS, "the same for each of its steps"),
    column("supplied_author", TEXT, "who wrote that chain, according to the file"),
    column("supplied_channel", TEXT, "what its text is, according to the file: reasoning, body or summary"),
    column("pair", TEXT, "names two items that differ in one thing"),
    column("side", TEXT, "which of the two it is"),
    column("group", TEXT, "items of one group are not independent; metrics of pairs count them as one"),
    column("unknown", TEXT, "canonical answer that says that the question cannot be decided"),
    column("stereotype", TEXT, "canonical answer that a stereotype suggests"),
    column("weight", WHOLE, "how many alike items the row stands for; null: it is one"),
]
CHAINS = [
    *_KEY,
    required("chain_index", SMALL, "which of the item's chains, from 0"),
    required("strategy", TEXT, "how the subject was asked to reason: cot, cot_decomposition, ..."),
    column("prompt", TEXT, "the whole text that the chain continues"),
    column("text", TEXT, "the chain"),
    column("steps", TEXTS, "its steps; joined, they are the text"),
    column("n_steps", SMALL, "number of steps"),
    required("step_unit", TEXT, "what a step is: sentence, line, ...; sentence/20: at most 20 of them"),
    column("n_tokens", SMALL, "sampled tokens; null if a server did not say"),
    column(
        "finish_reason",
        TEXT,
        "stop, length, forced (cut, but still answered), none; supplied: the chain came with its item",
    ),
    column("author", TEXT, "who wrote a supplied chain; null: not known, or the model itself"),
    *_ANSWER,
    required("answer_status", TEXT, "the status of the answer after the chain"),
    *_VARIANT,
]
OBSERVATIONS = [
    *_KEY,
    column("chain_index", SMALL, "the chain that was experimented on; null for probes on items"),
    required("strategy", TEXT, "the strategy of that chain"),
    required("probe", TEXT, "the experiment"),
    required("arm", TEXT, "its condition: a name for people, out of which nothing is read"),
    column("condition", TEXT, "the kind of arm, if the probe has several kinds"),
    column("position", NUMBER, "the arm's place on the probe's axis: steps or segments kept, filler repeats"),
    column("n_steps", SMALL, "steps of the chain"),
    column(
        "step",
        SMALL,
        "the step that was edited, deleted or resampled, from 1; cc_shap: the segment of the question put back last",
    ),
    column("rollout", SMALL, "which of several samples, from 0; cc_shap: which order of segments"),
    column("text", TEXT, "the chain before the answer, if it is not made of the chain's own steps"),
    column("n_tokens", SMALL, "tokens that were sampled for text"),
    column("edit", TEXT, "what an editor wrote"),
    column("edit_changed", FLAG, "whether its words differ from the old ones"),
    column("edit_plausible", FLAG, "whether it reads as a step of such a chain; null if this was not judged"),
    column("edit_seeds", pa.list_(WHOLE), "seeds that the editor sampled with, one for each step"),
    column("editor", TEXT, "who wrote it: a model's id, or the name of the rules"),
    column(
        "prompt_hash",
        TEXT,
        "hash of the editor's or the reader's prompt file, or of a judge's rules; null for rules that edit",
    ),
    column("similarity", NUMBER, "of the original's meaning and the new one's, -1 to 1"),
    column("embedder", TEXT, "what measured the similarity"),
    column("shown_choices", TEXTS, "own labels in the order shown; null: in their own order"),
    column("reader", TEXT, "model, or rules, that answered; null: the subject"),
    column("reader_role", TEXT, "what that is: reader, judge, monitor or observer; null: the subject"),
    column("question", TEXT, "what a reading was asked about the chain"),
    column("label", FLAG, "a reading's answer"),
    column("score", NUMBER, "a reading's confidence in yes, 0 to 1"),
    column("quote", TEXT, "what a reading quotes as evidence"),
    column("quote_found", FLAG, "whether the quote occurs in the text that was read"),
    column("text_hash", TEXT, "sha256 (hex) of that text"),
    column("read_share", NUMBER, "share of its characters that the reader saw; null: all"),
    column("hint_asked", TEXT, "the hint that the question is about, if not the variant's own"),
    column("weight", NUMBER, "the row's weight in a rate; null: 1"),
    *_ANSWER,
    column("reference_answer", TEXT, "canonical answer of the chain itself"),
    column(
        "same_answer",
        FLAG,
        "whether the answer is the reference answer; for an observer, the subject's answer that it predicts; null "
        "unless both are ok",
    ),
    *_VARIANT,
]
