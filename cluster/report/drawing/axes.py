"""Axes: which range of values is shown, and where its ticks are.

In: the values to show; values that are null or not finite do not count. Out: ``Axis`` objects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

Ticks = Sequence[tuple[float, str]]
"""(value, label), from the smallest."""
NARROWEST = 0.3
"""The smallest range of an axis of shares, so that noise does not fill a picture."""
_UNITS = {10**12: "T", 10**9: "B", 10**6: "M", 10**3: "K"}


@dataclass(frozen=True)
class Axis:
    """One axis; ``low`` < ``high``."""

    title: str
    low: float
    high: float
    ticks: Ticks
    log: bool = False

    def place(self, value: float) -> float:
        """Return where ``value`` lies: 0 at ``low``, 1 at ``high``."""
        if self.log:
            return log10(value / self.low) / log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def number_axis(title: str, values: Iterable[float | None], form: str = "", about: int = 5, pad: float = 0.04) -> Axis:
    """Return an axis that spans ``values``.

    ``form``: how its ticks are written, with as many decimals as they need: "" numbers; "%"; "+%" with their sign.
    ``pad``: the space beyond the outermost values, as a share of the range.
    """
    low, high = _span(values)
    step = _step((high - low) / about)
    room = pad * (high - low)
    return Axis(title, low - room, high + room, _ticks(low - room, high + room, step, form))


def share_axis(title: str, values: Iterable[float | None]) -> Axis:
    """Return an axis from 0 to 1, or further where values are beyond."""
    return number_axis(title, [0.0, 1.0, *values], "%", 4, 0.03)


def near_axis(title: str, values: Iterable[float | None], form: str = "") -> Axis:
    """Return an axis of shares around ``values``: no wider than they need, and no narrower than ``NARROWEST``."""
    low, high = _span(values)
    missing = max(NARROWEST - (high - low), 0.0) / 2
    first, last = min(max(low - missing, 0.0), low), max(min(high + missing, 1.0), high)
    return number_axis(title, [first, last], form, pad=0.06)


def count_axis(title: str, most: float) -> Axis:
    """Return an axis of whole numbers from 0."""
    high = max(most, 1.0)
    step = max(_step(high / 5), 1.0)
    return Axis(title, 0.0, 1.05 * high, _ticks(0.0, 1.05 * high, step, ""))


def size_axis(title: str, sizes: Iterable[float]) -> Axis:
    """Return a logarithmic axis with a tick at each of ``sizes`` (> 0), such as 135M."""
    known = sorted({*sizes})
    return Axis(title, known[0] / 1.4, known[-1] * 1.4, [(size, in_units(size)) for size in known], log=True)


def in_units(size: float) -> str:
    """Return a size such as 135M."""
    unit = next((unit for unit in _UNITS if size >= unit), 1)
    return f"{size / unit:.3g}{_UNITS.get(unit, '')}"


def _span(values: Iterable[float | None]) -> tuple[float, float]:
    """Return the smallest and the largest value; around a single one, some room."""
    known = [value for value in values if value is not None and isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    room = 0.5 * max(abs(low), 1.0) if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9) else 0.0
    return low - room, high + room


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, ... times a power of ten that is not less than ``least``."""
    power = 10.0 ** floor(log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least * (1 - 1e-9))


def _ticks(low: float, high: float, step: float, form: str) -> Ticks:
    is_share = form.endswith("%")
    decimals = max(0, -floor(log10(step) + 1e-9) - 2 * is_share)
    sign, kind = form.removesuffix("%"), "%" if is_share else "f"
    places = range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    return [(at * step, f"{at * step:{sign if at else ''},.{decimals}{kind}}") for at in places]
