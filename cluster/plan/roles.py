"""Which models a job needs up: the one that answers, and those that edit and compare for its probes."""

from collections.abc import Iterable

from cotfaith.schemas.spec import ModelSpec, ProbeSpec, RunSpec
from cotfaith.workers.probes import find_probe
from cotfaith.workers.probes.transfer import reader_ids
from cotfaith.workers.roles.editors import check_editor, editor_model
from cotfaith.workers.roles.embedders import check_embedder, embedder_model


def helpers(spec: RunSpec, subject: ModelSpec, probes: Iterable[ProbeSpec]) -> dict[str, ModelSpec]:
    """Return role -> model, for what the probes need beside the subject's own engine and what is done by rule."""
    needs = _needs(probes)
    found = {
        "editor": editor_model(spec, subject) if "editor" in needs else None,
        "embedder": embedder_model(spec) if "embedder" in needs else None,
    }
    return {role: model for role, model in found.items() if model is not None}


def _needs(probes: Iterable[ProbeSpec]) -> set[str]:
    return {need for probe in probes for need in find_probe(probe)[0].needs}


def check_helpers(spec: RunSpec) -> None:
    """Raise ``InputError`` if the editor or the embedder that the spec names will not do."""
    check_editor(spec)  # shards make both, whether or not a probe asks for them
    check_embedder(spec)


def readers(spec: RunSpec, probe: ProbeSpec) -> tuple[str, ...]:
    """Return the models that the probe runs on, once the subject's chains are there; none for most probes.

    Raises:
        SpecError: the probe's options name a reader that cannot be one.

    """
    kind, options = find_probe(probe)
    return reader_ids(spec, options, probe.name) if kind.readers else ()
