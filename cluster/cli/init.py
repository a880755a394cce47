"""``cotfaith init``: a spec to start from, with every key explained, or one of the package's examples."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer
import yaml

from cotfaith.cluster.cli import completion
from cotfaith.cluster.cli.consoles import say
from cotfaith.cluster.cli.new_file import write_new
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.suggest import unknown

_FOLDER = "examples"


def init(
    path: Annotated[
        Path | None, typer.Argument(help="The file to write; default: cotfaith.yaml, or the example's name.")
    ] = None,
    example: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Write this example; `--example list` names them.",
            autocompletion=completion.of(lambda: ["list", *_examples()]),
        ),
    ] = None,
) -> None:
    """Write a spec to start from: every key with its meaning and default, or an example."""
    from cotfaith.cluster.plan.spec_template import spec_template

    if example == "list":
        for name, text in _examples().items():
            say(f"{name:<14} {_first_sentence(text)}")
        return
    text = spec_template() if example is None else _example(example)
    target = path or Path(f"{example or 'cotfaith'}.yaml")
    written = [target] if write_new(target, text) else []
    written += [] if example is None else _with_its_files(text)
    say(f"Wrote {', '.join(map(str, written))}." if written else f"{target} is there already, with the same text.")
    say(f"Edit it, then: cotfaith plan {target}")


def _folder() -> Traversable:
    return files("cotfaith") / _FOLDER


def _examples() -> dict[str, str]:
    found = sorted(_folder().iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".yaml"): file.read_text("utf-8") for file in found if file.name.endswith(".yaml")}


def _example(name: str) -> str:
    found = _examples()
    if name not in found:
        raise SpecError(f"--example {name!r}: {unknown('example', name, list(found))}")
    return found[name]


def _with_its_files(text: str) -> list[Path]:
    """Write the package's files that an example reads, where it expects them; return those that were not there."""
    named = [Path(task["file"]) for task in yaml.safe_load(text)["tasks"] if "file" in task]
    ours = [path for path in named if path.parts[:-1] == (_FOLDER,) and (_folder() / path.name).is_file()]
    return [path for path in ours if write_new(path, (_folder() / path.name).read_text("utf-8"))]


def _first_sentence(text: str) -> str:
    comment = " ".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
    return comment.partition(". ")[0].removesuffix(".") + "."
