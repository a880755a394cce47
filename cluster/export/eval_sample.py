"""A chain with everything on it -> one sample of an Inspect log, as plain data.

In: rows of ITEMS, CHAINS and OBSERVATIONS. Out: a sample in Inspect's log schema:

- the item is the sample, the chain's index its epoch; a variant is a sample of its own, with its name in the id;
- the prompt is the user's message and the chain the assistant's: reasoning as reasoning, a summary as the summary of
  reasoning that is not shown, anything else as text; a last line "ANSWER: ..." has the answer;
- ``correct`` and each reading that worked are scores; a row that failed has none: the status of a chain is the sample's
  error, that of another row is in the metadata;
- the metadata has all arms and readings.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cotfaith.cluster.export.eval_file import Data, sample_id
from cotfaith.schemas.records import READER
from cotfaith.schemas.status import Status
from cotfaith.schemas.variants import PLAIN

Row = Mapping[str, Any]
_STOPS = {"stop": "stop", "supplied": "stop", "length": "max_tokens", "forced": "max_tokens"}
_ABOUT = ("chain_index", "strategy", "variant", "intervention", "channel", "status", "answer", "correct")
_MORE = ("finish_reason", "n_steps", "step_unit", "n_tokens", "author")
_ARM = (
    *("arm", "condition", "position", "step", "rollout", "status", "error", "answer", "correct", "same_answer"),
    *("text", "edit", "editor", "similarity", "shown_choices", "reader"),
)
_READING = (
    *("probe", "arm", "reader", "reader_role", "question", "hint_asked", "status", "error", "label", "score", "answer"),
    *("same_answer", "quote", "quote_found", "read_share"),
)


def eval_sample(item: Row, chain: Row, rows: Iterable[Row]) -> Data:
    """Return the sample of a chain; ``rows``: the observations on it, and those on its item under its variant."""
    found = list(rows)
    readings = [row for row in found if row["reader_role"] not in (None, READER)]
    arms = [row for row in found if row["reader_role"] in (None, READER)]
    uuid = _uuid(chain)
    asked, reply = _asked(item, chain, uuid), _reply(chain, uuid)
    return {
        "id": sample_id(chain["item_id"] if _is_plain(chain) else f"{chain['item_id']} {chain['variant']}"),
        "epoch": chain["chain_index"] + 1,
        "input": (item["question"] or "") if _is_plain(chain) else [asked],
        "choices": item["choices"] if item["answer_format"] == "choice" else None,
        "target": item["gold"] or "",
        "messages": [asked, reply],
        "output": _output(chain, reply),
        "scores": _scores(chain, readings),
        "metadata": _metadata(item, chain)
        | {"arms": _arms(arms), "readings": [_kept(row, _READING) for row in readings]},
        "uuid": uuid,
        "error": _error(chain),
    }


def _is_plain(chain: Row) -> bool:
    return (chain["variant"] or PLAIN) == PLAIN


def _uuid(chain: Row) -> str:
    key = ("run_id", "model", "task", "strategy", "item_id", "variant", "chain_index")
    return hashlib.sha256("\n".join(str(chain[name]) for name in key).encode()).hexdigest()[:22]


def _asked(item: Row, chain: Row, uuid: str) -> Data:
    text = chain["prompt"] or item["question"] or ""
    return {"id": f"{uuid}-0", "role": "user", "source": "input", "content": text}


def _reply(chain: Row, uuid: str) -> Data:
    content = _content(chain["text"] or "", chain["channel"], chain["answer"])
    return {"id": f"{uuid}-1", "role": "assistant", "source": "generate", "model": chain["model"], "content": content}


def _content(text: str, channel: str | None, answer: str | None) -> str | list[Data]:
    line = "" if answer is None else f"ANSWER: {' '.join(answer.split())}"
    if channel not in ("reasoning", "summary"):
        return f"{text}\n{line}" if line else text
    hidden = channel == "summary"
    thought = {"reasoning": "", "summary": text, "redacted": True} if hidden else {"reasoning": text, "redacted": False}
    return [{"type": "reasoning"} | thought, {"type": "text", "text": line}]


def _output(chain: Row, reply: Data) -> Data:
    content = reply["content"]
    stop = _STOPS.get(chain["finish_reason"] or "", "unknown")
    return {
        "model": chain["model"],
        "choices": [{"message": reply, "stop_reason": "content_filter" if chain["status"] == Status.REFUSED else stop}],
        "completion": content if isinstance(content, str) else content[-1]["text"],
    }


def _scores(chain: Row, readings: Iterable[Row]) -> Data:
    """Return the scores by name. Only ``correct`` has an answer: a log's readers take a score's for the chain's."""
    found: Data = {}
    if chain["status"] == Status.OK and chain["correct"] is not None:
        found["correct"] = {"value": "C" if chain["correct"] else "I", "answer": chain["answer"]}
    for row in readings:
        said = row["answer"] if row["label"] is None else "yes" if row["label"] else "no"
        if row["status"] == Status.OK and said is not None:
            name = score_name(row)
            again = sum(one == name or one.startswith(f"{name}__") for one in found)
            found[f"{name}__{again + 1}" if again else name] = _reading_score(row, said)
    return found


def _reading_score(row: Row, said: str) -> Data:
    about = {name: row[name] for name in ("probe", "arm", "reader", "question", "score", "quote_found")}
    return {"value": said, "explanation": row["quote"], "metadata": about}


def score_name(row: Row) -> str:
    """Return a reading's name among the scores, as a word that filters can use: its question, or probe, and reader."""
    return re.sub(r"\W+", "_", f"{row['question'] or row['probe']}_{row['reader']}", flags=re.ASCII)


def _metadata(item: Row, chain: Row) -> Data:
    found = {name: chain[name] for name in (*_ABOUT, *_MORE)}
    about = {"item": chain["item_id"], "pushes_towards": chain["target"], "difficulty": item["difficulty"]}
    more = {pair["key"]: pair["value"] for pair in item["metadata"] or ()}
    return about | found | {"weight": item["weight"], "item_metadata": more}


def _arms(rows: Iterable[Row]) -> dict[str, list[Data]]:
    found: dict[str, list[Data]] = {}
    for row in rows:
        found.setdefault(row["probe"], []).append(_kept(row, _ARM))
    return found


def _kept(row: Row, names: Iterable[str]) -> Data:
    return {name: row[name] for name in names if row[name] is not None}


def _error(chain: Row) -> Data | None:
    if chain["status"] == Status.OK:
        return None
    message = ": ".join([chain["status"], *([chain["error"]] if chain["error"] else [])])
    return {"message": message, "traceback": "", "traceback_ansi": ""}
