"""``cotfaith loss``: the loss of a text under each model of a spec, to compare checkpoints at (``models[].loss``)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cotfaith.cluster.cli.consoles import messages, out, print_json, say
from cotfaith.cluster.cli.options import AsJson, Overrides, Plugins, SpecPath
from cotfaith.schemas.errors import InputError, SpecError

if TYPE_CHECKING:
    from cotfaith.workers.engines.resolved import ResolvedModel
    from cotfaith.workers.engines.text_loss import TextLoss


def loss(
    spec_path: SpecPath,
    text_path: Annotated[
        Path, typer.Option("--text", metavar="FILE", help="A text in UTF-8 that no model was trained on.")
    ],
    window: Annotated[int | None, typer.Option(min=16, metavar="N", help="Tokens of a window; default: 1024.")] = None,
    overrides: Overrides = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Compute the loss of a text under each model, in nats per byte; one model is loaded at a time."""
    from cotfaith.cluster.cli.asked import asked_spec
    from cotfaith.workers.engines.text_loss import WINDOW, text_loss

    text = _text(text_path)
    spec = asked_spec(spec_path, overrides, plugins)
    resolved = [_scoring(one) for one in spec.subjects]
    found = {}
    for one in resolved:
        say(f"Loading {one.spec.id}", messages(True))
        engine = one.kind.make(one.spec, spec.resources.threads)
        found[one.spec.id] = text_loss(engine, one.codec, text, window or WINDOW)
        del engine
    if as_json:
        print_json({"text": str(text_path), "losses": [_data(name, own) for name, own in found.items()]})
    else:
        _show(found)


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--text {path}: {error}. Expected a file of text in UTF-8.") from error
    if not text.strip():
        raise InputError(f"--text {path}: the file has no text.")
    return text


def _scoring(model: Any) -> "ResolvedModel":
    """Resolve the model; raise ``SpecError`` unless its engine gives log-probabilities of a text."""
    from cotfaith.cluster.plan.models import with_revision
    from cotfaith.workers.engines.resolved import resolve_model

    one = resolve_model(with_revision(model))
    if not (one.capabilities.score and (one.kind.has_weights or one.kind.served_model)):
        raise SpecError(
            f"models.{model.id}: the engine {one.kind.name!r} gives no log-probabilities of a text. Leave the model "
            "out, or state its loss in the spec (models[].loss)."
        )
    return one


def _data(name: str, own: "TextLoss") -> dict[str, Any]:
    return {
        "model": name,
        "loss": own.per_byte,
        "nats_per_token": own.per_token,
        "tokens": own.n_tokens,
        "bytes": own.n_bytes,
        "window": own.window,
    }


def _show(found: "dict[str, TextLoss]") -> None:
    from cotfaith.cluster.cli.tables import new_table
    from cotfaith.cluster.terminal import safe_text

    table = new_table("Loss of the text", ["model"], ["nats per byte", "nats per token", "tokens", "bytes", "window"])
    for name, own in found.items():
        counts = (f"{n:,}" for n in (own.n_tokens, own.n_bytes, own.window))
        table.add_row(safe_text(name), f"{own.per_byte:.4f}", f"{own.per_token:.4f}", *counts)
    out.print(table)
    say("To compare the models at equal loss, state nats per byte in the spec: models[].loss (docs/scaling.md).")
