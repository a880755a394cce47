"""Metrics from outside the package, for those who read a run's folder: only what the user names is imported."""

from collections.abc import Sequence

from cotfaith.cluster.stats.metrics import metrics_of
from cotfaith.schemas.spec import ProbeSpec
from cotfaith.workers.plugins import import_plugins, offered
from cotfaith.workers.probes import find_probe


def import_metrics(plugins: Sequence[str]) -> None:
    """Import modules, and load what installed packages offer under the name of a probe.

    Raises:
        SpecError: there is no such module, or it fails.

    """
    packaged = [name for name in plugins if name in offered("cotfaith.probes")]
    import_plugins([name for name in plugins if name not in packaged])
    for name in packaged:
        find_probe(ProbeSpec(name=name))
        metrics_of(name)
