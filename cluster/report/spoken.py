"""The words of all known probes, in the order in which a report shows them."""

import importlib
import pkgutil

from cotfaith.cluster.stats import metrics
from cotfaith.cluster.stats.metrics.lib.words import Words


def known_words() -> dict[str | None, Words]:
    """Return the words by probe, those with a small rank first; None: those of the chains themselves."""
    names = [info.name for info in pkgutil.iter_modules(metrics.__path__) if not info.ispkg]
    found = {
        None if name == "chains" else name: importlib.import_module(f"{metrics.__name__}.{name}").WORDS
        for name in names
    }
    return dict(sorted(found.items(), key=lambda pair: pair[1].rank))
