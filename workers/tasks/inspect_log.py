"""Inspect logs (``.eval``, or JSON) -> records of the adapter ``chains``, read with inspect_ai.

The chain is a text of the channel that is asked for (``message_chain``). The recorded answer is the one that a scorer
read, else the one in a last line "ANSWER: ...". A sample without such a chain, with an incomplete one, or with more
than one question as text, gives the reason instead. System messages are left out and counted: the spec's own system
message replaces them.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import TaskError
from cotfaith.schemas.records import Channel
from cotfaith.workers.limits import check_bytes, most_bytes
from cotfaith.workers.tasks.log_archive import check_archive
from cotfaith.workers.tasks.message_chain import ANSWER_LINE, message_chain
from cotfaith.workers.tasks.unicode import has_half, without_halves
from cotfaith.workers.tasks.values import Record

LOG = ".eval"
"""The ending of a log's name."""
_JSON_HEAD = re.compile(rb'^\s*\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:')
_SHOWN = 500
"""Characters of another library's message: it can quote the file."""
_CUT = {
    "max_tokens": "its output was cut at the limit of tokens",
    "model_length": "its output was cut at the end of the model's context",
    "content_filter": "its output was withheld by a content filter",
    "tool_calls": "its output is a tool call",
}


@dataclass(frozen=True)
class InspectLog:
    """A log's samples."""

    records: list[Record | str]
    """One entry for each sample: a record, or the reason why there is none."""
    notes: list[str] = field(default_factory=list)
    """Warnings about the log as a whole."""


def is_inspect_log(path: Path) -> bool:
    """Return whether the file is an Inspect log."""
    if path.suffix.lower() == LOG:
        return True
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with path.open("rb") as file:
        return _JSON_HEAD.match(file.read(200)) is not None


def read_inspect_log(path: Path, channel: Channel | None = None) -> InspectLog:
    """Return the contents of a log; ``channel``: which text is a chain, None: the reasoning, or else the reply.

    Raises:
        TaskError: inspect_ai is not installed, or cannot read the file.

    """
    log = _read(path)
    samples = list(log.samples or [])
    shuffled = any(step.params.get("shuffle") for step in log.plan.steps)
    found = [_or_reason(sample, log.eval.model, path.stem, shuffled, channel) for sample in samples]
    broken = sum(has_half(record) for record in found)
    notes = [f"{path}: {broken:,} samples contain half of a surrogate pair, read as U+FFFD."] if broken else []
    return InspectLog([without_halves(record) for record in found], [*_notes(path, log, samples), *notes])


def _read(path: Path) -> Any:
    try:
        from inspect_ai.log import read_eval_log
    except ImportError:
        raise TaskError(f"{path}: Inspect logs need inspect_ai: pip install 'cotfaith[inspect]'.") from None
    if not path.is_file():
        raise TaskError(f"{path}: there is no such file (working directory: {Path.cwd()}).")
    if path.suffix.lower() == LOG:
        check_archive(path)
    else:
        check_bytes(path, path.stat().st_size, most_bytes())
    try:
        return read_eval_log(os.fspath(path), resolve_attachments=True)
    except Exception as error:  # the reader can raise anything on a file that is not a log
        what = " ".join(str(error).split())[:_SHOWN]
        raise TaskError(f"{path}: inspect_ai cannot read this log: {type(error).__name__}: {what}") from None


def _notes(path: Path, log: Any, samples: Sequence[Any]) -> Iterator[str]:
    if not samples:
        ran = getattr(log.results, "completed_samples", 0) or 0
        what = f"it has only a header: {ran:,} samples were run" if ran else "none was finished"
        yield (
            f"{path}: this log has no samples (status: {log.status}); {what}. Use the complete log as Inspect wrote it "
            "(read without header_only), or run the evaluation again."
        )
    elif log.status != "success":
        yield f"{path}: this evaluation did not succeed (status: {log.status}); the log has {len(samples):,} samples."
    systems = sum(any(message.role == "system" for message in _turns(sample)) for sample in samples)
    if systems:
        yield (
            f"{path}: {systems:,} chains were sampled after a system message, which is left out; "
            "set the model's `system` in the spec to it."
        )
    several = sum(len(sample.output.choices) > 1 for sample in samples)
    if several:
        yield f"{path}: {several:,} samples have several outputs; the first of each is read."


def _turns(sample: Any) -> list[Any]:
    return [*(sample.messages or []), *([] if isinstance(sample.input, str) else sample.input)]


def _or_reason(sample: Any, model: str, log: str, shuffled: bool, channel: Channel | None) -> Record | str:
    """Return the sample's chain with its question, or the reason why it cannot be used."""
    try:
        return _record(sample, model, log, shuffled, channel)
    except ValueError as error:
        return str(error)


def _record(sample: Any, model: str, log: str, shuffled: bool, channel: Channel | None) -> Record:
    if sample.choices and shuffled:
        raise ValueError("its choices were shuffled, so the chain uses other letters")
    question = _question(sample)
    _check_ended(sample)
    targets = [sample.target] if isinstance(sample.target, str) else list(sample.target)
    if len(targets) != 1 or not targets[0].strip():
        raise ValueError("it has no target, or several")
    text, found = _chain(sample.output.choices[0].message, channel)
    record = {
        "id": f"{log}-{sample.id}-{sample.epoch}",
        "question": question,
        "cot": text,
        "channel": found,
        "gold": targets[0],
        "author": model,
        "answer": _answer(sample),
        "choices": list(sample.choices) if sample.choices else None,
    }
    return {name: value for name, value in record.items() if value not in (None, "")}


def _question(sample: Any) -> str:
    asked = [message for message in _input(sample) if message.role != "system"]
    if len(asked) != 1 or asked[0].role != "user":
        raise ValueError("its input is a conversation, not one question")
    _check_text_only(asked[0].content, "its question", ("text",))
    if getattr(sample, "files", None):
        raise ValueError("its question has files besides its text")
    if sum(message.role != "system" for message in sample.messages or []) > 2:
        raise ValueError("its output is the last of several turns")
    return str(asked[0].text)


def _input(sample: Any) -> list[Any]:
    if not isinstance(sample.input, str):
        return list(sample.input)
    from inspect_ai.model import ChatMessageUser

    return [ChatMessageUser(content=sample.input)]


def _check_text_only(content: Any, what: str, allowed: Sequence[str]) -> None:
    kinds = [] if isinstance(content, str) else [part.type for part in content]
    for kind in kinds:
        if kind not in allowed:
            raise ValueError(f"{what} has a part of type {kind!r}, not only text")


def _check_ended(sample: Any) -> None:
    """Raise ``ValueError`` unless the model ended its output itself."""
    if sample.error is not None or sample.output.error:
        raise ValueError("it ended with an error")
    if not sample.output.choices:
        raise ValueError("it has no output")
    reason = sample.output.choices[0].stop_reason
    if reason != "stop":
        raise ValueError(_CUT.get(reason, f"its output did not end by itself (stop reason {reason!r})"))
    if getattr(sample, "limit", None) is not None:
        raise ValueError(f"it was stopped by a limit ({sample.limit.type})")


def _chain(message: Any, channel: Channel | None) -> tuple[str, Channel]:
    _check_text_only(message.content, "its output", ("text", "reasoning"))
    if getattr(message, "tool_calls", None):
        raise ValueError(_CUT["tool_calls"])
    return message_chain(message, channel)


def _answer(sample: Any) -> str | None:
    """Return the answer that a scorer read, else the one in the output's last line, if any."""
    read = [score.answer for score in (sample.scores or {}).values() if score.answer]
    written = ANSWER_LINE.search(sample.output.completion.rstrip())
    return read[0] if read else written["answer"] if written else None
