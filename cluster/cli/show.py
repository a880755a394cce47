"""``cotfaith show``: a run's items, or one item with its chains and arms."""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.consoles import out, print_json
from cotfaith.cluster.cli.options import AsJson, OnlyModels, OnlyTasks, RunPath

if TYPE_CHECKING:
    from cotfaith.cluster.cli.item import Shown
    from cotfaith.cluster.cli.item_lines import Filters
    from cotfaith.cluster.storage.chosen import Chosen
    from cotfaith.cluster.storage.ledger import Ledger
    from cotfaith.cluster.storage.store import Store
    from cotfaith.schemas.run_objects import RunRecord

Names = list[str] | None


def show(
    run_path: RunPath,
    item_id: Annotated[
        str | None, typer.Argument(metavar="[ITEM]", help="An item's id; default: a list of the items.")
    ] = None,
    models: OnlyModels = None,
    tasks: OnlyTasks = None,
    strategies: Annotated[
        Names,
        typer.Option("--strategy", metavar="NAME", help="Only this strategy.", autocompletion=completion.strategies),
    ] = None,
    variants: Annotated[
        Names, typer.Option("--variant", metavar="NAME", help="Only this variant: plain, or INTERVENTION.ARM.")
    ] = None,
    probes: Annotated[
        Names,
        typer.Option(
            "--probe", metavar="NAME", help="Only this probe, all its arms.", autocompletion=completion.probes
        ),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Items with a row of this status.", autocompletion=completion.statuses),
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Items with an arm that changed the answer.")] = False,
    correct: Annotated[
        bool | None, typer.Option("--right/--wrong", help="Items with an answer that is right, or wrong.")
    ] = None,
    disagree: Annotated[
        bool, typer.Option("--disagree", help="Chains on which two readers differ: rules, judges, people.")
    ] = False,
    readers: Annotated[
        Names, typer.Option("--reader", metavar="NAME", help="With --disagree: only pairs of these readers.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="The most items that are listed.")] = 30,
    chain: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of an item, only this chain.")] = None,
    prompt: Annotated[
        bool, typer.Option("--prompt", help="The prompt of the chain, and the texts after which arms were asked.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Of an item, every model, chain, step and arm.")] = False,
    as_json: AsJson = False,
) -> None:
    """List a run's items, or show one with its chain and what each arm did."""
    from cotfaith.cluster.cli.item import Shown
    from cotfaith.cluster.cli.item_lines import Filters
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.cli.view import view
    from cotfaith.cluster.storage.chosen import Chosen
    from cotfaith.cluster.storage.read import open_run_store

    chooses = changed or bool(status) or correct is not None
    _check_options(item_id, chooses, full or prompt or chain is not None)
    _check_readers(disagree, readers or [], chooses or bool(probes) or item_id is not None)
    store = open_run_store(run_path)
    run = run_record(store)
    shown = view(False, models, tasks, (run.identity.models, run.ranges))
    _check(run, strategies or [], probes or [], status)
    chosen = Chosen(shown.models, shown.tasks, item_id, strategies or (), variants or (), probes or (), status)
    filters = Filters(strategies or (), variants or (), probes or (), status, changed, correct)
    if disagree:
        from cotfaith.cluster.cli.disagreements import Wanted, list_disagreements

        list_disagreements(store, run, Wanted(chosen, readers or (), limit), as_json)
    elif item_id is None:
        _list(store, run, chosen, filters, limit, as_json)
    else:
        _show(store, run, chosen, filters, Shown(full, chain, probes or (), prompt), as_json)


def _check_options(item_id: str | None, chooses: bool, details: bool) -> None:
    """Raise ``SpecError`` for an option that would do nothing."""
    from cotfaith.schemas.errors import SpecError

    if item_id is None and details:
        raise SpecError("--chain, --prompt and --full show one item. Name it: cotfaith show RUN ITEM.")
    if item_id is not None and chooses:
        raise SpecError(
            "--changed, --right, --wrong and --status choose among items. Leave out the item or the option."
        )


def _check_readers(disagree: bool, readers: list[str], chooses: bool) -> None:
    """Raise ``SpecError`` for an option that would do nothing."""
    from cotfaith.schemas.errors import SpecError

    if readers and not disagree:
        raise SpecError("--reader chooses among the readers that --disagree compares. Add --disagree.")
    if disagree and chooses:
        raise SpecError(
            "--disagree lists chains, whatever their answers. Leave out the item, --probe, --changed, --right, --wrong "
            "and --status; --model, --task, --strategy and --variant choose among them."
        )


def _check(run: "RunRecord", strategies: list[str], probes: list[str], status: str | None) -> None:
    """Raise ``SpecError`` for a name that the run cannot have."""
    from cotfaith.schemas.errors import SpecError
    from cotfaith.schemas.status import Status
    from cotfaith.schemas.suggest import unknown

    named = (("strategy", strategies, run.identity.strategies), ("probe", probes, run.identity.probes))
    for kind, names, known in (*named, ("status", [status] if status else [], list(map(str, Status)))):
        for name in names:
            if name not in known:
                raise SpecError(f"--{kind}: {unknown(kind, name, known)}")


def _check_variants(ledger: "Ledger", variants: Sequence[str]) -> None:
    """Raise ``SpecError`` for a variant of which nothing is committed."""
    from cotfaith.schemas.errors import SpecError
    from cotfaith.schemas.suggest import unknown

    known = {piece.variant for log in ledger.logs.values() for piece in log.pieces}
    for name in variants:
        if name not in known:
            raise SpecError(f"--variant: {unknown('variant', name, known)}")


def _list(store: "Store", run: "RunRecord", chosen: "Chosen", filters: "Filters", limit: int, as_json: bool) -> None:
    """Print the first lines that the filters admit; shards are read one by one, until there are enough."""
    from cotfaith.cluster.cli.item_lines import item_lines
    from cotfaith.cluster.cli.items import items_table
    from cotfaith.cluster.storage.chosen import chosen_ledger, chosen_logs
    from cotfaith.cluster.storage.read import tables_of

    ledger = chosen_ledger(store, run, chosen)
    _check_variants(ledger, chosen.variants)
    logs = chosen_logs(run, ledger, chosen)
    found = (line for log in logs for line in item_lines(tables_of(store, [log], run.run_id), filters))
    lines = list(islice(found, limit + 1))
    more = len(lines) > limit
    if as_json:
        print_json({"run_id": run.run_id, "items": [line.as_data() for line in lines[:limit]], "more": more})
    elif not lines:
        out.print("No item is like that.")
    else:
        out.print(items_table(lines[:limit], run.identity.probes))
        if more:
            out.print(f"There are more: --limit {10 * limit}, or a filter. One item: cotfaith show RUN ITEM")


def _show(
    store: "Store", run: "RunRecord", chosen: "Chosen", filters: "Filters", shown: "Shown", as_json: bool
) -> None:
    import polars as pl

    from cotfaith.cluster.cli.item import print_item
    from cotfaith.cluster.report.spoken import known_words
    from cotfaith.cluster.storage.chosen import chosen_ledger, chosen_logs
    from cotfaith.cluster.storage.read import tables_of
    from cotfaith.schemas.errors import InputError

    ledger = chosen_ledger(store, run, chosen)
    _check_variants(ledger, chosen.variants)
    read = tables_of(store, chosen_logs(run, ledger, chosen), run.run_id)
    tables = {name: table.filter(pl.col("item_id") == chosen.item) for name, table in read.items()}
    if tables["items"].is_empty():
        ids = {item for log in ledger.logs.values() for commit in log.commits for item in commit.items}
        raise InputError(_unknown(str(chosen.item), sorted(ids | set(read["items"]["item_id"].to_list()))))
    for column, wanted in (("strategy", chosen.strategies), ("variant", chosen.variants)):
        if wanted:
            own = pl.col(column).is_in(list(wanted))
            tables |= {name: tables[name].filter(own) for name in ("chains", "observations")}
    if as_json:
        print_json({"run_id": run.run_id, **{name: table.to_dicts() for name, table in tables.items()}})
    else:
        print_item(tables, known_words(), out, shown)


def _unknown(item_id: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(item_id, known, n=3, cutoff=0.4) or known[:3]
    hint = f" Nearest: {', '.join(near)}." if near else " The run has no items yet."
    return f"No item {item_id!r} among the {len(known)} items of this run.{hint}"
