"""The names in a spec, looked up once: probes with checked options, models with their engines and codecs.

In: a spec whose plug-ins are imported. Out: objects to hand on, so that no name is looked up again. They hold functions
and tokenizers, which cannot be sent to other processes: each process resolves for itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import READER, Item
from cotfaith.schemas.spec import ProbeSpec, RunSpec, Section
from cotfaith.schemas.suggest import unknown
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.engines.resolved import ResolvedModel, resolve_model
from cotfaith.workers.interventions import find_intervention
from cotfaith.workers.interventions.lib.applied import Applied
from cotfaith.workers.probes import find_probe
from cotfaith.workers.probes.lib.probe import Probe
from cotfaith.workers.probes.lib.readers import named_readers, reader_ids
from cotfaith.workers.readings.prompts import find_prompt, given_texts


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

    @property
    def reads_own(self) -> bool:
        """Whether a reader also reads its own chains: always if it answers their question, else if it is named."""
        return self.kind.reader_role == READER or named_readers(self.options) is not None

    def readers_for(self, task: str, subject: str) -> tuple[str, ...]:
        """Return the models that read the subject's chains on the task."""
        return tuple(one for one in self.readers_of.get(task, ()) if self.reads_own or one != subject)

    def answering(self, task: str, subject: str) -> tuple[str, ...]:
        """Return the models that are asked about the subject's chains on the task: its readers, or the subject."""
        return self.readers_for(task, subject) if self.kind.readers else (subject,)

    @property
    def portable_options(self) -> dict[str, Any]:
        """Its settings with the texts of its prompts in place of their files, which are not on every machine."""
        own = self.options.model_dump(mode="json")
        if self.kind.prompts:
            own["prompts"] = given_texts(self.name, self.kind.prompts, own.get("prompts", {}))
        return own

    @property
    def prompt_hashes(self) -> dict[str, str]:
        """Name of a prompt -> its hash; empty if the probe has none.

        Raises:
            SpecError: a prompt of the user cannot be used.

        """
        given = self.portable_options["prompts"] if self.kind.prompts else {}
        return {name: find_prompt(self.name, name, given).hash for name in self.kind.prompts}


@dataclass(frozen=True)
class Resolved:
    """A spec and what its names stand for."""

    spec: RunSpec
    probes: tuple[ResolvedProbe, ...]
    models: Mapping[str, ResolvedModel]
    """By id, in the spec's order."""
    date: datetime | None
    """The date that all chat templates of the run get; null: now."""
    interventions: tuple[Applied, ...] = ()

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that chains are sampled of: the plain items first, then each intervention's arms."""
        return (PLAIN, *(name for one in self.interventions for name in one.names))

    def variants_of(self, probe: ResolvedProbe) -> tuple[str, ...]:
        """Return the variants that the probe runs on, in the order of ``variants``."""
        asked = next(one.variants for one in self.spec.probes if one.name == probe.name)
        if asked == "all" or (asked is None and probe.kind.all_variants):
            return self.variants
        named = (PLAIN,) if asked is None or isinstance(asked, str) else asked
        return tuple(name for name in self.variants if name in named)

    def under(self, variant: str, task: str, items: Sequence[Item]) -> tuple[Item, ...]:
        """Return a task's items under the variant, or as they are.

        Raises:
            TaskError: an intervention cannot be applied to an item.

        """
        one = next((one for one in self.interventions if variant in one.names), None)
        return tuple(items) if one is None else tuple(one.items(self.spec.seed, task, item)[variant] for item in items)

    @property
    def reads(self) -> frozenset[tuple[str, str]]:
        """(probe, the probe of the subject whose rows it reads)."""
        return frozenset((one.name, one.kind.reads) for one in self.probes if one.kind.reads is not None)

    @property
    def subjects(self) -> tuple[ResolvedModel, ...]:
        """The models that are measured."""
        return tuple(self.models[model.id] for model in self.spec.subjects)

    def sees(self, model: str, task: str) -> bool:
        """Return whether the model gets the task's questions: it answers the task, or reads its chains."""
        return self.spec.answers(model, task) or any(model in one.readers_of.get(task, ()) for one in self.probes)


def resolve(spec: RunSpec, date: datetime | None = None) -> Resolved:
    """Look up everything that ``spec`` names.

    Raises:
        SpecError: there is no such probe, intervention, variant, engine or reader, or an option or a prompt is wrong.

    """
    probes, interventions = resolve_probes(spec), tuple(Applied(*find_intervention(one)) for one in spec.interventions)
    models = {model.id: resolve_model(model, date) for model in spec.models}
    found = Resolved(spec, probes, models, date, interventions)
    for one in probes:
        one.kind.check(spec)
        _ = one.prompt_hashes  # reads the prompts
    for probe in spec.probes:
        for name in probe.variants if isinstance(probe.variants, tuple) else ():
            if name not in found.variants:
                raise SpecError(f"probes.{probe.name}.variants: {unknown('variant', name, found.variants)}")
    for one in probes:
        _check_reads(found, one)
    return found


def _check_reads(found: Resolved, probe: ResolvedProbe) -> None:
    """Raise ``SpecError`` if the subject's probe that ``probe`` reads is not there, on all its variants."""
    reads = probe.kind.reads
    if reads is None:
        return
    read = next((one for one in found.probes if one.name == reads and not one.kind.readers), None)
    if read is None:
        raise SpecError(
            f"probes: {probe.name!r} reads the rows of {reads!r}, a probe of the subject: add it to probes."
        )
    if lacking := [name for name in found.variants_of(probe) if name not in found.variants_of(read)]:
        raise SpecError(
            f"probes.{probe.name}.variants: it reads the rows of {reads!r}, which does not run on "
            f"{', '.join(lacking)}. Set the variants of {reads!r} to include them, or leave them out here."
        )


def resolve_probes(spec: RunSpec) -> tuple[ResolvedProbe, ...]:
    """Look up the spec's probes, in its order; raise ``SpecError`` if there is no such probe or an option is wrong."""
    return tuple(_probe(spec, probe) for probe in spec.probes)


def _probe(spec: RunSpec, probe: ProbeSpec) -> ResolvedProbe:
    kind, options = find_probe(probe)
    tasks = [task.name for task in spec.tasks] if kind.readers else []
    return ResolvedProbe(kind, options, {task: reader_ids(spec, kind, options, task) for task in tasks})
