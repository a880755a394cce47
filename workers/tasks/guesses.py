"""Which column may hold one of our fields, by its name. A guess is offered in a message, and never taken.

What the user wrote counts first (a near name), then the names that published files use. Knows nothing about values.
"""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

NAMES: dict[str, tuple[str, ...]] = {
    "question": ("question", "prompt", "problem", "query", "stem", "input", "instruction", "text", "task", "goal"),
    "gold": (
        *("gold", "target", "ground_truth", "correct_answer", "correct_option", "correct", "answer_key", "reference"),
        *("expected", "ideal", "truth", "cop", "answer", "label", "answer_idx", "solution", "final_answer"),
    ),
    "cot": (
        *("cot", "chain_of_thought", "reasoning", "reasoning_content", "thinking", "thoughts", "thought", "rationale"),
        *("scratchpad", "trace", "trajectory", "explanation", "completion", "generation", "response", "output"),
    ),
    "answer": ("answer", "prediction", "predicted", "pred", "model_answer", "extracted_answer", "final_answer"),
    "id": ("id", "qid", "uid", "key", "item_id", "question_id", "example_id", "idx"),
    "choices": ("choices", "options"),
    "difficulty": ("difficulty", "level", "hardness"),
    "author": ("author", "model", "model_id", "model_name"),
}
"""Our field -> names of columns that hold it in published files, the likeliest first."""
_NEAR = 0.75
_OF_A_MODEL = re.compile("model|pred|generat|response")
_PLAIN = re.compile(r"[1-9]\d*|[A-Za-z_](?:[A-Za-z0-9_ .-]*[A-Za-z0-9_])?")
_WORDS_OF_YAML = frozenset({"true", "false", "yes", "no", "on", "off", "null"})
_SHOWN = 60


def guessed(wanted: Mapping[str, str], names: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """Return our field -> the column that may hold it, no column twice.

    ``wanted`` maps our fields to what the user wrote for them, or to their own names; ``taken``: columns in use.
    """
    free = [name for name in names if name not in taken]
    found: dict[str, str] = {}
    for ours, wrote in wanted.items():
        column = _guess(ours, wrote, free)
        if column is not None:
            found[ours] = column
            free.remove(column)
    return found


def _guess(ours: str, wrote: str, names: Sequence[str]) -> str | None:
    bare = {_bare(name): name for name in reversed(names)}
    near = difflib.get_close_matches(_bare(wrote), bare, n=1, cutoff=_NEAR)
    known = [_bare(name) for name in NAMES.get(ours, ())]
    named = [name for name in known if name in bare]
    own = [one for one in bare if ours != "gold" or not _OF_A_MODEL.search(one)]
    holding = [one for name in known if len(name) > 4 for one in own if name in one]
    return next((bare[name] for name in (*near, *named, *holding)), None)


def _bare(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def questions(found: Mapping[str, str | Sequence[str]]) -> str:
    """Return the guesses as questions: "question <- prompt? gold <- answer?"."""
    return " ".join(f"{ours} <- {written(columns)}?" for ours, columns in found.items())


def written(columns: str | Sequence[str]) -> str:
    """Return a column, or a list of several, as the spec's YAML writes it in one line."""
    if not isinstance(columns, str):
        return written(columns[0]) if len(columns) == 1 else f"[{', '.join(map(written, columns))}]"
    plain = _PLAIN.fullmatch(columns) and columns.lower() not in _WORDS_OF_YAML
    return columns if plain else json.dumps(columns, ensure_ascii=False)


def listed(names: Sequence[str], quoted: bool = True) -> str:
    """Return the columns of a file for a message, escaped; of very many, the first."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    shown = [repr(str(name)) for name in names[:_SHOWN]]
    return ", ".join(name if quoted else name[1:-1] for name in shown) + more
