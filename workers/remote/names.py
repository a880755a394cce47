"""What is there instead of a name that is not: the nearest name, and the first of all."""

import difflib
from collections.abc import Sequence

_SHOWN = 12


def nearest(kind: str, got: str, names: Sequence[str]) -> str:
    """Return a message about the missing ``got``: the nearest of ``names``, and at most a dozen of them."""
    near = difflib.get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"There is no {kind} {got!r}.{hint} There: {', '.join(names[:_SHOWN]) or 'nothing'}{more}."
