"""The columns of a run's tables that the package's own metrics, and the report, read. A plug-in's may read any."""

from cotfaith.schemas.tables import CHAINS, ITEMS

OBSERVED = frozenset(
    {
        *("run_id", "model", "task", "item_id", "strategy", "variant", "channel", "probe", "chain_index"),
        *("arm", "condition", "position", "n_steps", "n_tokens", "step", "rollout"),
        *("edit_changed", "edit_plausible", "similarity", "shown_choices", "reader", "reader_role"),
        *("status", "answer", "answer_strict", "answer_loose", "answer_text", "candidates", "candidate_logprobs"),
        *("intervention", "target", "question", "label", "score", "hint_asked", "read_share", "no_cot_mechanism"),
        *("tied", "near_tie", "p_gold", "correct", "reference_answer", "same_answer"),
    }
)
TEXTS = ("prompt", "text")
"""Columns of chains that take most of the memory; a chain's words are read as its steps."""
NEEDED = {"items": frozenset(ITEMS.names), "chains": frozenset(CHAINS.names) - {*TEXTS}, "observations": OBSERVED}
LABELLED = NEEDED | {"observations": OBSERVED | {"text_hash"}}
"""The same where people have labelled texts."""
