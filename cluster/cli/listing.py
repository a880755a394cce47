"""``cotfaith list``: the names that a spec can use, one line each. A plug-in's line shows where it comes from.

Plug-ins of installed packages are listed without being imported.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import typer
from rich.table import Table

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.consoles import out, print_json
from cotfaith.cluster.cli.options import AsJson
from cotfaith.cluster.cli.organisms import truth_note
from cotfaith.cluster.terminal import safe_text
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.engines import ENGINES
from cotfaith.workers.interventions import INTERVENTIONS
from cotfaith.workers.organisms.card import read_card
from cotfaith.workers.organisms.folder import packaged
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.probes import PROBES
from cotfaith.workers.registry import Listed
from cotfaith.workers.roles.judges import JUDGES
from cotfaith.workers.roles.table import ROLES
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.tasks.adapters import ADAPTERS
from cotfaith.workers.tasks.generators import GENERATORS


def _organisms() -> list[Listed]:
    cards = [read_card(name) for name in packaged()]
    return [Listed(card["name"], truth_note(card["truth"], card["step"])) for card in cards]


KINDS: dict[str, Callable[[], Iterable[Listed]]] = {
    PROBES.plural: PROBES.listed,
    INTERVENTIONS.plural: INTERVENTIONS.listed,
    "strategies": lambda: [Listed(one.name, one.summary) for one in STRATEGIES.values()],
    ENGINES.plural: ENGINES.listed,
    "roles": lambda: [Listed(one.name, one.summary) for one in ROLES.values()],
    GENERATORS.plural: GENERATORS.listed,
    ADAPTERS.plural: ADAPTERS.listed,
    JUDGES.plural: JUDGES.listed,
    "organisms": _organisms,
}
"""What can be listed -> its lines."""


def list_names(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help=f"One of: {', '.join(KINDS)}.",
            show_default=False,
            autocompletion=completion.of(lambda: KINDS),
        ),
    ],
    plugins: Annotated[
        list[str] | None,
        typer.Option("--plugin", metavar="MODULE", help="Import a Python module of plug-ins first; its code is run."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what a spec can name, with one line each."""
    if kind not in KINDS:
        raise SpecError(unknown("kind", kind, KINDS))
    import_plugins(plugins or [])
    found = list(KINDS[kind]())
    if as_json:
        names = [{"name": one.name, "summary": one.summary, "origin": one.origin or None} for one in found]
        print_json({"kind": kind, "names": names})
    else:
        out.print(_table(found))


def _table(lines: Sequence[Listed]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold", min_width=min(24, max((len(line.name) for line in lines), default=0)))
    table.add_column(overflow="fold")
    for line in lines:
        origin = f" ({line.origin})" if line.origin else ""
        table.add_row(safe_text(line.name), safe_text(line.summary + origin))
    return table
