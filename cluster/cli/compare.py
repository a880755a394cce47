"""``cotfaith compare``: two models on the same items, such as one before and after it was trained further."""

from typing import TYPE_CHECKING, Annotated

import typer

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.consoles import messages, out, print_json, say
from cotfaith.cluster.cli.options import AsJson, MetricPlugins, OnlyTasks, RunPath

if TYPE_CHECKING:
    from cotfaith.cluster.verdicts.comparing.side import Pair, Run

Names = list[str] | None


def compare(
    run_path: RunPath,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_B]",
            help="The run after; default: the same run, with --models.",
            autocompletion=completion.runs,
        ),
    ] = None,
    named: Annotated[
        Names,
        typer.Option(
            "--model",
            metavar="A[:B]",
            help="Only this model; A:B if the second run calls it B. Can be repeated.",
            autocompletion=completion.models,
        ),
    ] = None,
    models: Annotated[
        tuple[str, str] | None,
        typer.Option("--models", metavar="A B", help="Two models of one run.", autocompletion=completion.models),
    ] = None,
    metrics: Annotated[
        Names,
        typer.Option(
            "--metric",
            metavar="NAME[/METHOD]",
            help="Only this figure; can be repeated.",
            autocompletion=completion.metrics,
        ),
    ] = None,
    tasks: OnlyTasks = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="The most flips that are listed.")] = 10,
    plugins: MetricPlugins = None,
    as_json: AsJson = False,
) -> None:
    """Compare two models item by item: differences, also at matched skill, and answers that flipped."""
    from cotfaith.cluster.cli.compare_tables import comparison_data, print_comparison
    from cotfaith.cluster.cli.incomplete import say_if_incomplete
    from cotfaith.cluster.stats.plugins import import_metrics
    from cotfaith.cluster.storage.completeness import completeness
    from cotfaith.cluster.verdicts.comparing.comparison import compare as compared
    from cotfaith.cluster.verdicts.comparing.wanted import wanted

    import_metrics(plugins or [])
    figures = wanted(metrics or [])
    pairs = _pairs(run_path, other, named or [], models)
    _check_tasks(pairs, tasks or [])
    found = [compared(pair, figures, tasks or []) for pair in pairs]
    if as_json:
        print_json({"comparisons": [comparison_data(one) for one in found]})
    for one in found:
        if not as_json:
            print_comparison(one, out, limit)
        for text in one.warnings:
            say(f"Note: {text}", messages(as_json))
    for run in {side.run.name: side.run for pair in pairs for side in pair}.values():
        complete = completeness(run.store, run.record, run.ledger)
        if not complete.whole:
            say(f"{run.name}:", messages(as_json))
        say_if_incomplete(complete, messages(as_json))


def _pairs(run_path: str, other: str | None, named: list[str], models: tuple[str, str] | None) -> "list[Pair]":
    """Return what is compared; raise ``InputError`` for options that do not fit together."""
    from cotfaith.cluster.verdicts.comparing.side import pair_of_models, pairs_of_runs
    from cotfaith.schemas.errors import InputError

    if (other is None) == (models is None):
        raise InputError(
            "Name two runs (cotfaith compare RUN_A RUN_B), or two models of one run (cotfaith compare RUN --models A "
            "B), and not both."
        )
    if models is not None and named:
        raise InputError("--model chooses among the models of two runs. With --models, leave it out.")
    if models is not None:
        return [pair_of_models(_opened(run_path), *models)]
    assert other is not None, "one of them is given"
    return pairs_of_runs(_opened(run_path), _opened(other), named)


def _opened(path: str) -> "Run":
    from cotfaith.cluster.cli.stored import run_record
    from cotfaith.cluster.storage.read import open_run_store, read_ledger
    from cotfaith.cluster.verdicts.comparing.side import Run

    store = open_run_store(path)
    record = run_record(store)
    return Run(path, store, record, read_ledger(store, record))


def _check_tasks(pairs: "list[Pair]", tasks: list[str]) -> None:
    from cotfaith.schemas.errors import InputError
    from cotfaith.schemas.suggest import unknown

    known = {task for pair in pairs for side in pair for task in side.tasks}
    for task in tasks:
        if task not in known:
            raise InputError(f"--task: {unknown('task', task, known)}")
