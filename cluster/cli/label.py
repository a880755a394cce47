"""``cotfaith label``: people say of a run's chains what judges say of them, blind; also labels from and to files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.consoles import out, print_json, say
from cotfaith.cluster.cli.options import AsJson, RunPath

if TYPE_CHECKING:
    from cotfaith.cluster.cli.keys import Keys
    from cotfaith.cluster.labelling.label import Order, Question
    from cotfaith.cluster.labelling.population import Population, Stratum
    from cotfaith.cluster.labelling.session import Session
    from cotfaith.cluster.storage.store import Store
    from cotfaith.schemas.run_objects import RunRecord

Names = list[str] | None
ORDERS = ("random", "disagreement")


def label(
    run_path: RunPath,
    question: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="present, relied or checked.",
            autocompletion=completion.of(lambda: ("present", "relied", "checked")),
        ),
    ] = "present",
    labeller: Annotated[str | None, typer.Option(metavar="NAME", help="Who labels; default: the login name.")] = None,
    models: Annotated[
        Names,
        typer.Option("--model", metavar="MODEL", help="Only chains of this model.", autocompletion=completion.models),
    ] = None,
    tasks: Annotated[
        Names, typer.Option("--task", metavar="TASK", help="Only chains of this task.", autocompletion=completion.tasks)
    ] = None,
    variants: Annotated[Names, typer.Option("--variant", metavar="NAME", help="Only this variant.")] = None,
    channels: Annotated[
        Names, typer.Option("--channel", metavar="NAME", help="Only texts of this channel, such as reasoning.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also chains that did not switch to the target of their variant.")
    ] = False,
    order: Annotated[
        str,
        typer.Option(
            metavar="ORDER",
            help="random, or disagreement: texts on which readers differ come first.",
            autocompletion=completion.of(lambda: ("random", "disagreement")),
        ),
    ] = "random",
    status: Annotated[bool, typer.Option("--status", help="Only count the labels there are.")] = False,
    import_file: Annotated[
        str | None,
        typer.Option("--import", metavar="FILE", help="Take labels from a file; docs/labels.md says which."),
    ] = None,
    export_file: Annotated[
        str | None, typer.Option("--export", metavar="FILE", help="Write the labels to a new file (.csv, .jsonl).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Label a run's chains by hand: does the chain name the hint that moved its answer?"""
    from cotfaith.cluster.cli.label_files import export_labels, import_labels
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.storage.read import open_run_store

    narrowed = bool(models or tasks or variants or channels or every) or (question, order) != ("present", "random")
    _check_options((status, import_file is not None, export_file is not None), narrowed, as_json)
    store = open_run_store(run_path)
    run = run_record(store)
    if status:
        _status(store, run, as_json)
    elif import_file is not None:
        import_labels(store, run, import_file, labeller)
    elif export_file is not None:
        export_labels(store, Path(export_file), labeller)
    else:
        filters = {"model": models or [], "task": tasks or [], "variant": variants or [], "channel": channels or []}
        _label(store, run, _question(question), _order(order), labeller, filters, every)


def _check_options(instead: tuple[bool, ...], narrowed: bool, as_json: bool) -> None:
    """Raise ``SpecError`` for an option that would do nothing."""
    from cotfaith.schemas.errors import SpecError

    if sum(instead) > 1:
        raise SpecError("--status, --import and --export are three commands. Use one of them.")
    if any(instead) and narrowed:
        raise SpecError(
            "--question, --model, --task, --variant, --channel, --all and --order choose what is shown. Leave them out "
            "with --status, --import and --export."
        )
    if as_json and not instead[0]:
        raise SpecError("--json prints what --status counts. Add --status.")


def _question(name: str) -> "Question":
    from cotfaith.cluster.cli.label_pages import ASKS
    from cotfaith.schemas.errors import SpecError
    from cotfaith.schemas.suggest import unknown

    if name not in ASKS:
        raise SpecError(f"--question: {unknown('question', name, ASKS)}")
    return cast("Question", name)


def _order(name: str) -> "Order":
    from cotfaith.schemas.errors import SpecError
    from cotfaith.schemas.suggest import unknown

    if name not in ORDERS:
        raise SpecError(f"--order: {unknown('order', name, ORDERS)}")
    return cast("Order", name)


def _status(store: "Store", run: "RunRecord", as_json: bool) -> None:
    from cotfaith.cluster.cli.label_tables import print_status, status_data
    from cotfaith.cluster.labelling.read import labels_in

    labels = labels_in(store)
    if as_json:
        print_json(status_data(run.run_id, labels))
    else:
        print_status(run.run_id, labels, out)


def _label(
    store: "Store",
    run: "RunRecord",
    question: "Question",
    order: "Order",
    labeller: str | None,
    filters: dict[str, list[str]],
    every: bool,
) -> None:
    from cotfaith.cluster.cli.label_files import labeller_name, texts_to_label
    from cotfaith.cluster.labelling.session import Asked, begin

    name = labeller_name(labeller)
    population = texts_to_label(store, run)
    wanted = _wanted(population, filters, every)
    _check_order(population, question, order)
    session = begin(store, run.run_id, population, Asked(name, question, order, wanted))
    _work(store, run, session)
    _say_end(session)


def _wanted(population: "Population", filters: dict[str, list[str]], every: bool) -> Any:
    """Return the test of a stratum; raise ``InputError`` if nothing passes it."""
    from cotfaith.schemas.errors import InputError, SpecError
    from cotfaith.schemas.suggest import unknown

    strata = {stratum for unit in population.units.values() for stratum in unit.strata}
    for kind, names in filters.items():
        known = {getattr(stratum, kind) for stratum in strata} - {""}
        for name in names:
            if name not in known:
                raise SpecError(f"--{kind}: {unknown(kind, name, known)}")

    def wanted(stratum: "Stratum") -> bool:
        chosen = all(not names or getattr(stratum, kind) in names for kind, names in filters.items())
        return chosen and (every or stratum.switched)

    if not any(map(wanted, strata)):
        raise InputError(
            f"Nothing to label: of the {len(population.units):,} texts under variants with a target, none that you "
            "asked for is of a chain that switched to its target. Add --all for those that did not, or choose others."
        )
    return wanted


def _check_order(population: "Population", question: str, order: str) -> None:
    from cotfaith.schemas.errors import InputError

    readers = sorted(population.readers.get(question, ()))
    if order == "disagreement" and len(readers) < 2:
        raise InputError(
            f"--order disagreement: readers of {question!r} in this run: {', '.join(readers) or 'none'}; expected two "
            "or more that can differ. Use --order random, or add a judge to the spec and run it."
        )


def _work(store: "Store", run: "RunRecord", session: "Session") -> None:
    from functools import partial

    from cotfaith.cluster.cli.label_desk import Desk
    from cotfaith.cluster.labelling.sheet import read_sheet
    from cotfaith.cluster.storage.read import read_ledger

    paged = sys.stdin.isatty() and out.is_terminal
    Desk(session, partial(read_sheet, store, run.run_id, read_ledger(store, run)), _keys(), out, paged).work()


def _keys() -> "Keys":
    from cotfaith.cluster.cli.keys import LineKeys, TerminalKeys

    return TerminalKeys(sys.stdin) if sys.stdin.isatty() else LineKeys(sys.stdin)


def _say_end(session: "Session") -> None:
    given = ", ".join(f"{n:,} {word}" for word, n in session.given.items() if n)
    say(f"Saved: {given or 'no labels'} by {session.labeller} ({session.draw.question}).")
    if session.waiting:
        say(f"{len(session.waiting):,} texts to go. The same command goes on.")
    else:
        say("All of these texts have labels. Count them: --status")
