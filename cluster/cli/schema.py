"""``cotfaith schema``: the JSON Schema of the run spec."""

import json

from cotfaith.cluster.cli.options import Plugins


def schema(plugins: Plugins = None) -> None:
    """Print the JSON Schema of the run spec, for editors."""
    from cotfaith.cluster.plan.spec_schema import spec_schema
    from cotfaith.workers.plugins import import_plugins

    import_plugins(plugins or [])
    print(json.dumps(spec_schema(), indent=2))
