"""An intervention's texts: a file of parts, the package's or the user's.

Each part is opened by a line such as ``[hint after]``. ``hint`` is for the arms with a target, ``neutral`` for the arm
without one; ``before`` and ``after`` stand around the question in the user's turn, ``assistant`` is the reply of an
earlier turn in which the user asks the same question. Both kinds have the same places, so that they differ in words
only. ``{answer}`` stands where the answer goes: somewhere in ``hint``, nowhere in ``neutral``. An intervention can
have other places, which its options fill. All are filled in one pass, so a brace in an answer stays a brace.
"""

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.interventions.lib.versions import Version, version_of

Kind = Literal["hint", "neutral"]
ANSWER = "answer"
PARTS = tuple(f"{kind} {place}" for kind in ("hint", "neutral") for place in ("before", "after", "assistant"))
_OPENS = re.compile(r"^\[([\w ]+)\][ \t]*$", re.MULTILINE)
_PLACE = re.compile(r"\{(\w+)\}")
_OURS = Path(__file__).parents[1] / "texts"


@dataclass(frozen=True)
class Parts:
    """The texts of one intervention."""

    texts: tuple[tuple[str, str], ...]
    """Part and text, such as ("hint after", "I think it is {answer}.")."""

    def filled(self, kind: Kind, values: Mapping[str, str]) -> dict[str, str]:
        """Return place ("before", "after", "assistant") -> text, with ``values`` in their places."""
        parts = ((part.partition(" "), text) for part, text in self.texts)
        return {place: _PLACE.sub(lambda found: values[found[1]], text) for (of, _, place), text in parts if of == kind}


def find_parts(intervention: str, given: str | None, places: Collection[str] = ()) -> Parts:
    """Return the texts in the file ``given``, or the package's; ``places``: those that there are besides {answer}.

    A value that contains {answer} is itself the text.

    Raises:
        SpecError: the file cannot be read, or its parts or places are not those described above.

    """
    origin = f"interventions.{intervention}.text"
    if given is not None and f"{{{ANSWER}}}" in given:
        return _parsed(given, origin, frozenset(places))
    named = str(_OURS / f"{intervention}.txt") if given is None else given
    return _read(version_of(named, origin), origin, frozenset(places))


@functools.lru_cache(maxsize=64)
def _read(file: Version, origin: str, places: frozenset[str]) -> Parts:
    try:
        text = file.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{origin}: expected a text file in UTF-8, got {str(file.path)!r}: {error}") from None
    return _parsed(text, f"{origin}, {str(file.path)!r}", places)


@functools.lru_cache(maxsize=64)
def _parsed(text: str, origin: str, places: frozenset[str]) -> Parts:
    try:
        texts = _split(text)
        _check(texts, places)
    except ValueError as error:
        raise SpecError(f"{origin}: {error}") from None
    return Parts(tuple(texts.items()))


def _split(text: str) -> dict[str, str]:
    head, *found = _OPENS.split(text)
    if head.strip() or not found:
        raise ValueError(f"expected a part, such as [hint after], on the first line; got {head.strip()[:60]!r}.")
    texts: dict[str, str] = {}
    for name, part in zip(found[::2], found[1::2], strict=True):
        if name not in PARTS:
            raise ValueError(unknown("part", name, PARTS))
        if name in texts or not part.strip():
            raise ValueError(
                f"the part [{name}] is {'there twice' if name in texts else 'empty'}. Keep it once, filled."
            )
        texts[name] = part.strip("\n")
    return texts


def _check(texts: Mapping[str, str], places: Collection[str]) -> None:
    of = {kind: {name.partition(" ")[2] for name in texts if name.startswith(kind)} for kind in ("hint", "neutral")}
    if of["hint"] != of["neutral"]:
        lacking = sorted(of["hint"] ^ of["neutral"])[0]
        raise ValueError(f"[hint {lacking}] and [neutral {lacking}] belong together: write both, or none.")
    named = {name: set(_PLACE.findall(text)) for name, text in texts.items()}
    for place in sorted(set().union(*named.values()) - {ANSWER, *places}):
        raise ValueError(unknown("place", f"{{{place}}}", [f"{{{known}}}" for known in (ANSWER, *places)]))
    answered = {name.partition(" ")[0] for name, found in named.items() if ANSWER in found}
    if answered != {"hint"}:
        raise ValueError(
            f"{{answer}} belongs into a part of hint, where the answer goes, and into none of neutral; it is in "
            f"{' and '.join(sorted(answered)) or 'neither'}."
        )
