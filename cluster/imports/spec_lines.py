"""Imported chains -> the lines of a spec that use them, for people to paste.

In: the records that were written, and the file. Out: lines of YAML. If the records name authors, each author gets a
model and a task with its own chains. A model's source is a guess, and the lines say so.
"""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

import yaml

from cotfaith.workers.tasks.values import Record

MOST_AUTHORS = 20
"""With more authors there is one task for all."""
_LONGEST = 100
_PROBES = "probes: [no_cot, early_answering, filler_tokens, step_deletion]"


def spec_lines(records: Sequence[Record], file: str, stem: str, answer_format: str | None) -> list[str]:
    """Return what to do, and the lines; ``stem``: the file's name, from which tasks get theirs."""
    name = _name(stem, "chains")
    found = Counter(str(record["author"]) for record in records if "author" in record)
    task = {"name": name, "file": file, "adapter": "chains", "n": len(records)}
    task |= {"answer_format": answer_format} if answer_format else {}
    if not 0 < len(found) <= MOST_AUTHORS:
        many = [f"{len(found):,} authors: a task takes the chains of one with `author: NAME`."] if found else []
        head = f"Wrote {file}. Put this into a spec, with the models that will read the chains:"
        look = [] if answer_format else [f"For a first look: cotfaith try MODEL {shlex.quote(file)}"]
        return [*many, *look, head, "tasks:", _entry(task), _PROBES]
    ids = _ids(list(found))
    models = [_entry({"id": ids[author], "source": author}) for author in found]
    tasks = [_entry(_of_author(task, author, ids[author], n, len(found) > 1)) for author, n in found.items()]
    unknown = len(records) - found.total()
    lost = [f"Note: {unknown:,} chains name no author: none of these tasks has them."] if unknown else []
    return [
        *lost,
        f"Wrote {file}. Put this into a spec, in which each model reads the chains that it wrote:",
        "models:  # guessed from the authors: set each source to the weights of that author",
        *models,
        "tasks:",
        *tasks,
        _PROBES,
    ]


def _of_author(task: dict[str, Any], author: str, model: str, n: int, several: bool) -> dict[str, Any]:
    own = {"name": f"{task['name'][: _LONGEST // 2]}-{model[: _LONGEST // 2 - 1]}"} if several else {}
    return task | own | {"author": author, "n": n, "models": [model]}


def _ids(authors: Sequence[str]) -> dict[str, str]:
    """Return author -> a model's id, each another: the last part of the author's name, numbered if it is not unique."""
    found: dict[str, str] = {}
    for author in authors:
        base = _name(author.rstrip("/").rpartition("/")[2], "model")[: _LONGEST // 2 - 1]
        names = [base, *(f"{base[: _LONGEST // 2 - 5]}-{number}" for number in range(2, len(authors) + 2))]
        found[author] = next(name for name in names if name not in found.values())
    return found


def _name(text: str, otherwise: str) -> str:
    """Return ``text`` as a name: what names cannot have becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:_LONGEST] or otherwise


def _entry(content: dict[str, Any]) -> str:
    text = yaml.safe_dump([content], default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return f"  - {text.strip()[1:-1]}"
