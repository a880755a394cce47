"""'Did you mean ...': the nearest known name to an unknown one."""

import difflib
from collections.abc import Iterable


def unknown(kind: str, got: str, known: Iterable[str]) -> str:
    """Return a message that names the unknown ``got``, the nearest known name, and all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {kind} {got!r}.{hint} Known: {', '.join(names) or 'none'}."
