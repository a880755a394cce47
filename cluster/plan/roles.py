"""Which models a job needs up beside the one that answers: those that edit and compare for its probes."""

from collections.abc import Iterable

from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.workers.resolved import ResolvedProbe
from cotfaith.workers.roles.editors import check_editor, editor_model
from cotfaith.workers.roles.embedders import check_embedder, embedder_model


def helpers(spec: RunSpec, subject: ModelSpec, probes: Iterable[ResolvedProbe]) -> dict[str, ModelSpec]:
    """Return role -> model, for what the probes need beside the subject's own engine and what is done by rule."""
    needs = {need for probe in probes for need in probe.kind.needs}
    found = {
        "editor": editor_model(spec, subject) if "editor" in needs else None,
        "embedder": embedder_model(spec) if "embedder" in needs else None,
    }
    return {role: model for role, model in found.items() if model is not None}


def check_helpers(spec: RunSpec) -> None:
    """Raise ``InputError`` if the editor or the embedder that the spec names will not do."""
    check_editor(spec)  # shards make both, whether or not a probe asks for them
    check_embedder(spec)
