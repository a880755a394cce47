"""The names in a spec, looked up once: probes with checked options, models with their engines and codecs.

In: a spec whose plug-ins are imported. Out: objects to hand on, so that no name is looked up again. They hold functions
and tokenizers, which cannot be sent to other processes: each process resolves for itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cotfaith.schemas.spec import ProbeSpec, RunSpec, Section
from cotfaith.workers.engines.resolved import ResolvedModel, resolve_model
from cotfaith.workers.probes import find_probe
from cotfaith.workers.probes.lib.probe import Probe
from cotfaith.workers.probes.transfer import reader_ids


@dataclass(frozen=True)
class ResolvedProbe:
    """A probe of the spec."""

    kind: Probe
    options: Section
    """The probe's own settings, checked."""
    readers_of: Mapping[str, tuple[str, ...]]
    """Task -> the models that it runs on, once the subjects' chains are committed; empty for most probes."""

    @property
    def name(self) -> str:
        """Its name in the spec and in tables."""
        return self.kind.name

    @property
    def readers(self) -> tuple[str, ...]:
        """All its readers."""
        return tuple(dict.fromkeys(reader for found in self.readers_of.values() for reader in found))


@dataclass(frozen=True)
class Resolved:
    """A spec and what its names stand for."""

    spec: RunSpec
    probes: tuple[ResolvedProbe, ...]
    models: Mapping[str, ResolvedModel]
    """By id, in the spec's order."""
    date: datetime | None
    """The date that all chat templates of the run get; null: now."""

    @property
    def subjects(self) -> tuple[ResolvedModel, ...]:
        """The models that are measured."""
        return tuple(self.models[model.id] for model in self.spec.subjects)

    def sees(self, model: str, task: str) -> bool:
        """Return whether the subject gets the task's questions: it answers the task, or reads its chains."""
        return self.spec.answers(model, task) or any(model in one.readers_of.get(task, ()) for one in self.probes)


def resolve(spec: RunSpec, date: datetime | None = None) -> Resolved:
    """Look up everything that ``spec`` names.

    Raises:
        SpecError: there is no such probe, engine or reader, or an option is wrong.

    """
    probes = resolve_probes(spec)
    return Resolved(spec, probes, {model.id: resolve_model(model, date) for model in spec.models}, date)


def resolve_probes(spec: RunSpec) -> tuple[ResolvedProbe, ...]:
    """Look up the spec's probes, in its order; raise ``SpecError`` if there is no such probe or an option is wrong."""
    return tuple(_probe(spec, probe) for probe in spec.probes)


def _probe(spec: RunSpec, probe: ProbeSpec) -> ResolvedProbe:
    kind, options = find_probe(probe)
    tasks = [task.name for task in spec.tasks] if kind.readers else []
    return ResolvedProbe(kind, options, {task: reader_ids(spec, options, task, probe.name) for task in tasks})
