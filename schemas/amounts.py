"""Large numbers as people write them: 135M, 1.5B, 135e6 (which YAML reads as a text).

In: what a spec gives. Out: a whole number. Knows nothing about what is counted.
"""

import math
import re
from typing import Any

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:[eE][+]?[0-9]+)?)\s*([KMBT]?)\s*", re.ASCII | re.IGNORECASE)


def amount(value: Any) -> int:
    """Return ``value`` as a whole number of at least 1; raise ``ValueError`` that says what was expected."""
    found = _number(value)
    if found is None or not math.isfinite(found) or found < 1:
        raise ValueError("expected a number of at least 1, such as 135000000, 135e6, 135M or 1.5B")
    return round(found)


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if isinstance(value, float) or value < 10**18 else None
    read = _AMOUNT.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    return None if read is None else float(read[1]) * _UNITS[read[2].upper()]
