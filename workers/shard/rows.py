"""Items, chains and observations <-> Arrow tables with the explicit schemas of ``schemas.tables``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cotfaith.schemas.answer_row import answer_from_row
from cotfaith.schemas.records import READER, Answer, Chain, Edit, Hint, Item, Observation, Supplied
from cotfaith.schemas.status import Status
from cotfaith.schemas.tables import SCHEMA_VERSION, table_of
from cotfaith.workers.shard.work import ItemObservation
from cotfaith.workers.text.answers import is_correct, p_gold, same_answer

_READING = (
    *("reader_role", "question", "label", "score", "quote", "quote_found"),
    *("text_hash", "read_share", "hint_asked", "weight"),
)


@dataclass(frozen=True)
class RowKey:
    """The columns that all rows of a shard share."""

    run_id: str
    model: str
    task: str

    def columns(self, item_id: str) -> dict[str, Any]:
        """Return these columns, with the item's id."""
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": self.run_id,
            "model": self.model,
            "task": self.task,
            "item_id": item_id,
        }


def items_table(key: RowKey, items: Iterable[Item]) -> pa.Table:
    """Return the ``items`` rows."""
    return table_of("items", (key.columns(item.id) | _item_columns(item) for item in items))


def chains_table(key: RowKey, items: Sequence[Item], chains: Iterable[Chain]) -> pa.Table:
    """Return the ``chains`` rows."""
    by_id = {item.id: item for item in items}
    rows = [key.columns(chain.item_id) | _chain_columns(by_id[chain.item_id], chain) for chain in chains]
    return table_of("chains", rows)


def observations_table(key: RowKey, rows: Iterable[ItemObservation]) -> pa.Table:
    """Return the ``observations`` rows."""
    return table_of("observations", (key.columns(row.item.id) | _observation_columns(row) for row in rows))


def chains_from_table(table: pa.Table) -> list[Chain]:
    """Return the chains as they were when ``table`` was made."""
    return [_chain(row) for row in table.to_pylist()]


def item_from_row(row: Mapping[str, Any]) -> Item:
    """Return the item of a row of ITEMS."""
    steps = row["supplied_steps"]
    supplied = (
        None
        if steps is None
        else Supplied(
            tuple(steps),
            row["supplied_answer"],
            row["supplied_label"],
            tuple(row["supplied_step_labels"] or ()),
            row["supplied_author"],
            row["supplied_channel"],
        )
    )
    return Item(
        id=row["item_id"],
        question=row["question"] or "",
        gold=row["gold"],
        answer_format=row["answer_format"],
        choices=tuple(row["choices"] or ()),
        difficulty=row["difficulty"],
        metadata=tuple((pair["key"], pair["value"]) for pair in row["metadata"] or ()),
        hint=None if row["hint"] is None else Hint(row["hint"], row["hint_style"]),
        setting=row["setting"],
        bottlenecks=tuple(row["bottlenecks"] or ()),
        supplied=supplied,
        pair=row["pair"],
        side=row["side"],
        group=row["group"],
        unknown=row["unknown"],
        stereotype=row["stereotype"],
    )


def _item_columns(item: Item) -> dict[str, Any]:
    return {
        "question": item.question,
        "choices": list(item.choices),
        "answer_format": item.answer_format,
        "gold": item.gold,
        "difficulty": item.difficulty,
        "metadata": [{"key": k, "value": v} for k, v in item.metadata],
        "hint": item.hint and item.hint.answer,
        "hint_style": item.hint and item.hint.style,
        "setting": item.setting,
        "bottlenecks": list(item.bottlenecks) or None,
        **_supplied_columns(item.supplied),
        "pair": item.pair,
        "side": item.side,
        "group": item.group,
        "unknown": item.unknown,
        "stereotype": item.stereotype,
    }


def _supplied_columns(supplied: Supplied | None) -> dict[str, Any]:
    if supplied is None:
        return {}
    return {
        "supplied_steps": list(supplied.steps),
        "supplied_answer": supplied.answer,
        "supplied_label": supplied.label,
        "supplied_step_labels": list(supplied.step_labels) or None,
        "supplied_author": supplied.author,
        "supplied_channel": supplied.channel,
    }


def _answer_columns(item: Item, answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status.value,
        "error": answer.error,
        "answer": answer.value,
        "answer_strict": answer.strict,
        "answer_loose": answer.loose,
        "answer_text": answer.text,
        "candidates": list(answer.candidates) or None,
        "candidate_logprobs": list(answer.logprobs) or None,
        "tied": answer.tied,
        "gap": answer.gap,
        "near_tie": answer.near_tie,
        "p_gold": p_gold(item, answer),
        "correct": is_correct(item, answer),
        "prompt_tokens": answer.prompt_tokens,
        "no_cot_mechanism": answer.no_cot_mechanism,
    }


def _chain_columns(item: Item, chain: Chain) -> dict[str, Any]:
    return _answer_columns(item, chain.answer) | {
        "chain_index": chain.index,
        "strategy": chain.strategy,
        "prompt": chain.prompt,
        "text": chain.text,
        "steps": list(chain.steps),
        "n_steps": len(chain.steps),
        "step_unit": chain.step_unit,
        "n_tokens": chain.n_tokens,
        "finish_reason": chain.finish_reason,
        "author": chain.author,
        "seed": chain.seed,
        "status": chain.status.value,
        "error": chain.error,
        "answer_status": chain.answer.status.value,
        **_variant_columns(chain),
    }


def _observation_columns(row: ItemObservation) -> dict[str, Any]:
    observation = row.observation
    return (
        _answer_columns(row.item, observation.answer)
        | _reading_columns(observation)
        | {
            "chain_index": observation.chain_index,
            "strategy": row.strategy,
            "probe": row.probe,
            "arm": observation.arm,
            "condition": observation.condition,
            "position": observation.position,
            "n_steps": observation.n_steps,
            "step": observation.step,
            "rollout": observation.rollout,
            "text": observation.text,
            "n_tokens": observation.n_tokens,
            "seed": observation.seed,
            "prompt_hash": observation.prompt_hash,
            **_edit_columns(observation.edit),
            "similarity": observation.similarity,
            "embedder": observation.embedder,
            "shown_choices": list(observation.shown_choices) or None,
            "reader": observation.reader,
            **_reference_columns(observation),
            **_variant_columns(observation),
        }
    )


def _reference_columns(observation: Observation) -> dict[str, Any]:
    """Return the chain's answer, and whether the row's is the same, or the one that it predicts.

    Other rows of judges, monitors and observers have no answer to compare.
    """
    reference, predicts = observation.reference, observation.predicts
    compared = predicts is not None or not _is_judged(observation)
    same = same_answer(observation.answer, predicts or reference) if compared else None
    return {"reference_answer": reference and reference.value, "same_answer": same}


def _is_judged(observation: Observation) -> bool:
    return observation.reader_role not in (None, READER)


def _variant_columns(row: Chain | Observation) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("variant", "intervention", "target", "channel")}


def _reading_columns(observation: Observation) -> dict[str, Any]:
    """Return a reading's columns. An answer to another question than the item's is neither right nor wrong."""
    found = {name: getattr(observation, name) for name in _READING}
    is_own = observation.graded and not _is_judged(observation)
    return found if is_own else found | {"correct": None, "p_gold": None}


def _edit_columns(edit: Edit | None) -> dict[str, Any]:
    if edit is None:
        return {}
    return {
        "edit": edit.text,
        "edit_changed": edit.changed,
        "edit_plausible": edit.plausible,
        "edit_seeds": list(edit.seeds) or None,
        "editor": edit.editor,
        "prompt_hash": edit.prompt_hash,
    }


def _chain(row: dict[str, Any]) -> Chain:
    answer = answer_from_row(row, row["answer_status"])
    return Chain(
        item_id=row["item_id"],
        index=row["chain_index"],
        text=row["text"],
        steps=tuple(row["steps"]),
        answer=answer,
        status=Status(row["status"]),
        n_tokens=row["n_tokens"],
        finish_reason=row["finish_reason"],
        seed=row["seed"],
        prompt=row["prompt"],
        strategy=row["strategy"],
        step_unit=row["step_unit"],
        error=row["error"],
        variant=row["variant"] or "plain",
        intervention=row["intervention"],
        target=row["target"],
        channel=row["channel"],
        author=row["author"],
    )
