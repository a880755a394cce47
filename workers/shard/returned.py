"""What a probe returned, checked before it is written: a plug-in's mistake costs its own rows, and no other.

In: anything. Out: what is wrong with it in words, or None if its rows can be written and read again.
"""

from typing import Any

from cotfaith.schemas.records import Answer, Edit, Observation

_NUMBER = (int, float)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "arm": str,
    "answer": Answer,
    "predicts": Answer,
    "condition": str,
    "position": _NUMBER,
    "step": int,
    "rollout": int,
    "text": str,
    "n_tokens": int,
    "seed": int,
    "edit": Edit,
    "similarity": _NUMBER,
    "embedder": str,
    "reader": str,
    "reader_role": str,
    "question": str,
    "label": bool,
    "score": _NUMBER,
    "quote": str,
    "read_share": _NUMBER,
    "weight": _NUMBER,
}
"""Fields that a probe sets, and what they hold; all but the first two may be null."""
_NEEDED = ("arm", "answer")


def mistake(result: Any) -> str | None:
    """Return what is wrong with what a probe returned; None: nothing is."""
    if not isinstance(result, list) or not all(isinstance(one, Observation) for one in result):
        return f"The probe returned {type(result).__name__}, expected a list of Observations."
    if found := next((text for one in result for name in _TYPES if (text := _wrong(one, name))), None):
        return found
    arms = [one.arm for one in result]
    twice = next((arm for arm in arms if arms.count(arm) > 1), None)
    return None if twice is None else f"The probe returned the arm {twice!r} twice; arms need different names."


def _wrong(row: Observation, name: str) -> str | None:
    value, expected = getattr(row, name), _TYPES[name]
    if value is None and name not in _NEEDED:
        return None
    if not isinstance(value, expected):
        kinds = " or ".join(kind.__name__ for kind in (expected if isinstance(expected, tuple) else (expected,)))
        return f"The probe returned {name} {value!r:.60}, expected {kinds}."
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return f"The probe returned a {name} with half of a character (a surrogate), which cannot be stored."
    return None
