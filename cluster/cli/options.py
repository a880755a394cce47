"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from cotfaith.cluster.cli import completion
from cotfaith.schemas.variables import RAY_ADDRESS

SpecPath = Annotated[
    str,
    typer.Argument(help="The run spec (YAML); see examples/.", show_default=False, autocompletion=completion.specs),
]
RunPath = Annotated[
    str,
    typer.Argument(help="The run's folder, or s3://bucket/prefix.", show_default=False, autocompletion=completion.runs),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key: --set sampling.temperature=0")
]
Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="MODULE", help="Import a Python module of plug-ins; its code is run."),
]
Details = Annotated[bool, typer.Option("--details", help="Every line, however many there are.")]
OnlyModels = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="Show only this model, in full; can be repeated.",
        autocompletion=completion.models,
    ),
]
OnlyTasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task", metavar="TASK", help="Show only this task, in full; can be repeated.", autocompletion=completion.tasks
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and messages on stderr.")]
Limit = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="At most N items of each task; a later run can go on with more.")
]
MetricPlugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="NAME",
        help="Import a module that registers metrics, or what a package offers for a probe; its code is run.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        envvar=RAY_ADDRESS,
        help='Read and sum a large run in tasks of the Ray cluster at ADDRESS (host:port, or "auto"), beside its data.',
    ),
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="A policy (YAML); default: the packaged one.")
]
