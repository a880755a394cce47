"""Long texts folded or clipped: nothing is left out without a word that says how much.

In: a chain's steps, or pieces of a text. Out: plain data for the page. Knows nothing about what the texts say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

OPEN, ENDS = 30, 12
"""A chain of more than ``OPEN`` steps is folded between its first and last ``ENDS``."""
MOST = 40_000
"""The most characters of a chain that are on the page, about 10,000 tokens."""
MOST_OF_ONE = 8_000
"""The most of one step, one question or one prompt."""
GONE = "gone"
"""The kind of the piece that stands for what is left out."""


@dataclass(frozen=True)
class Fold:
    """Some steps in a row."""

    numbers: Sequence[int]
    """The steps, from 1; 0 stands for the place before the first."""
    title: str = ""
    """What stands in their place until they are unfolded; "": they are not folded."""
    gone: str = ""
    """What was left out; it has no numbers."""


def folds(steps: Sequence[str]) -> list[Fold]:
    """Return a chain's steps in order: all of them, or the first and last ones with the rest folded between them."""
    n, out = len(steps), _left_out(steps)

    def part(k: int) -> tuple[bool, bool]:
        return bool(out) and k >= out.stop, n > OPEN and ENDS < k <= n - ENDS

    shown = [(key, list(own)) for key, own in groupby((k for k in range(n + 1) if k not in out), part)]
    found = [Fold(own, f"Steps {own[0]} to {own[-1]}" if is_folded else "") for (_, is_folded), own in shown]
    if out:
        lost = sum(len(steps[k - 1]) for k in out)
        before = sum(not is_after for (is_after, _), _ in shown)
        found.insert(before, Fold((), gone=f"Left out here: steps {out[0]} to {out[-1]}, {lost:,} characters."))
    return found


def _left_out(steps: Sequence[str]) -> range:
    """Return the steps in the middle without which the chain has at most ``MOST`` characters."""
    sizes = [min(len(step), MOST_OF_ONE) for step in steps]
    if sum(map(len, steps)) <= MOST:
        return range(0)
    first, last = (sum(size <= MOST // 2 for size in accumulate(part)) for part in (sizes, sizes[::-1]))
    return range(first + 1, len(steps) - last + 1)


def step_text(steps: Sequence[str], k: int) -> list[tuple[str, str]]:
    """Return the pieces of step ``k``, from 1; only in a chain that is too long as a whole it may be clipped."""
    is_long = sum(map(len, steps)) > MOST
    return clipped(steps[k - 1].strip(), MOST_OF_ONE if is_long else MOST)


def clipped(text: str | Sequence[tuple[str, str]], most: int = MOST_OF_ONE) -> list[tuple[str, str]]:
    """Return the pieces of a text; of more than ``most`` characters, those in the middle are one piece ``GONE``."""
    found = [("text", text)] if isinstance(text, str) else list(text)
    total = sum(len(piece) for _, piece in found)
    if total <= most:
        return found
    half = most // 2
    gone = (GONE, f"{total - 2 * half:,} characters left out")
    return [*_between(found, 0, half), gone, *_between(found, total - half, total)]


def _between(found: Sequence[tuple[str, str]], start: int, stop: int) -> list[tuple[str, str]]:
    kept, at = list[tuple[str, str]](), 0
    for kind, piece in found:
        part = piece[max(0, start - at) : max(0, stop - at)]
        kept += [(kind, part)] if part else []
        at += len(piece)
    return kept


def shorter(pieces: Sequence[tuple[str, str]], most: int = 600) -> list[tuple[str, str]]:
    """Return the pieces of a comparison; those of kind "same" have at most ``most`` characters each."""
    parts = (clipped([piece], most) if piece[0] == "same" else [piece] for piece in pieces)
    return [piece for part in parts for piece in part]
