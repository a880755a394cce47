"""One Inspect log (``.eval``), written sample by sample, in a memory that does not grow with their texts.

In: samples and a header as plain data, in Inspect's log schema (``inspect log schema``). Out: a zip file of JSON:
``samples/ID_epoch_N.json``, ``summaries.json`` and ``header.json``. Knows nothing about runs. The same samples give the
same bytes.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from cotfaith.schemas.errors import SpecError

Data = dict[str, Any]
VERSION = 2
"""The version of Inspect's log schema."""
_HEADER = "header.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOST = 1024  # characters of a text, or of a value as JSON, in a summary, as Inspect has them
_REMOVED = "Key removed from summary (> 1k)"
_LONGEST_ID = 200
_UP = re.compile(r"(?<![^/\\])\.\.(?![^/\\])")
"""The part of a path that leads out of a folder."""
_SUMMARY = ("id", "epoch", "input", "choices", "target", "metadata", "scores", "uuid")


class EvalFile:
    """A log that is being written."""

    def __init__(self, archive: zipfile.ZipFile, summaries: IO[bytes]) -> None:
        self._archive, self._summaries = archive, summaries
        self._before = b"["

    def add(self, sample: Data) -> Data:
        """Write one sample, and return it as written: a second one with its id and epoch has its ``uuid`` in its id."""
        if _name(sample) in self._archive.NameToInfo:
            sample = sample | {"id": f"{sample['id']} {sample['uuid']}"}
        self._write(_name(sample), sample)
        self._summaries.write(self._before + json.dumps(_summary(sample)).encode())
        self._before = b","
        return sample

    def finish(self, header: Data) -> None:
        """Write the summaries, and ``header``: what a log has besides its samples."""
        self._summaries.write(b"]" if self._before == b"," else b"[]")
        self._summaries.seek(0)
        with self._archive.open(_entry("summaries.json"), "w", force_zip64=True) as file:
            while piece := self._summaries.read(2**20):
                file.write(piece)
        self._write(_HEADER, {"version": VERSION} | header)

    def _write(self, name: str, content: Data) -> None:
        self._archive.writestr(_entry(name), json.dumps(content).encode())


@contextmanager
def eval_file(path: Path) -> Iterator[EvalFile]:
    """Write a log: it appears, in place of an older one, when the block ends without an error.

    Raises:
        SpecError: the file cannot be written.

    """
    aside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(aside, "w") as archive, TemporaryFile() as summaries:
            yield EvalFile(archive, summaries)
        aside.replace(path)
    except OSError as error:
        raise SpecError(f"--out {path.parent}: {path.name} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def header_of(path: Path) -> Data | None:
    """Return the header of a log; None if the file is no log."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read(_HEADER))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        return None
    return found if isinstance(found, dict) else None


def sample_id(text: str) -> str:
    """Return an id that can name a file; a text that cannot, such as a very long one, gets its hash."""
    if len(text) <= _LONGEST_ID and text.isprintable() and not _UP.search(text):
        return text
    kept = _UP.sub("?", "".join(one if one.isprintable() else "?" for one in text[:_LONGEST_ID]))
    return f"{kept} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _name(sample: Data) -> str:
    return f"samples/{sample['id']}_epoch_{sample['epoch']}.json"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _summary(sample: Data) -> Data:
    """Return what the list of samples shows, without long texts."""
    found = {name: sample[name] for name in _SUMMARY}
    error = sample["error"]
    return found | {
        "input": _short(sample["input"] if isinstance(sample["input"], str) else sample["messages"][0]["content"]),
        "metadata": _thin(sample["metadata"]),
        "scores": {name: _thin(score) for name, score in sample["scores"].items()},
        "error": None if error is None else error["message"],
        "completed": True,
        "message_count": len(sample["messages"]),
    }


def _thin(content: Mapping[str, Any]) -> Data:
    return {name: _thin_value(value) for name, value in content.items()}


def _thin_value(value: Any) -> Any:
    if isinstance(value, str):
        return _short(value)
    return _REMOVED if isinstance(value, list | dict) and len(json.dumps(value)) > _MOST else value


def _short(text: str) -> str:
    return text if len(text) <= _MOST else text[:_MOST] + "..."
