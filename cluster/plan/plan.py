"""Spec -> plan: its names resolved, its items, and the shards of work on them.

Loads items and tokenizers, never weights. Every mistake that can be seen without weights is found here. Later
stages take the plan, and look up no names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cotfaith.cluster.plan.broken_models import with_all_broken
from cotfaith.cluster.plan.checks import check_probes, check_tensor_parallel, idle_notes, prompt_notes, prompted
from cotfaith.cluster.plan.dtypes import with_dtypes
from cotfaith.cluster.plan.interventions import check_interventions, variant_notes
from cotfaith.cluster.plan.models import context_window, fingerprint, source_notes, with_revisions
from cotfaith.cluster.plan.prompt_date import prompt_date
from cotfaith.cluster.plan.roles import check_roles
from cotfaith.cluster.plan.serial_depth import serial_depths
from cotfaith.cluster.plan.sizes import with_sizes
from cotfaith.cluster.plan.tokenizer_notes import tokenizer_notes
from cotfaith.cluster.storage.ledger import Shard
from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import Store, check_place, open_store
from cotfaith.schemas.errors import InputError
from cotfaith.schemas.records import Item
from cotfaith.schemas.run_objects import RunRecord, SerialDepth
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers import tasks
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.resolved import Resolved, ResolvedProbe, resolve
from cotfaith.workers.text.template_check import template_digest
from cotfaith.workers.text.turn_templates import make_templates

_SAME_FOR_ALL = datetime(2003, 4, 17, 21, 56, 38)
"""The date that chat templates get when they are hashed: a run's own date is not part of a template."""


@dataclass(frozen=True)
class Plan:
    """A checked spec with its items."""

    resolved: Resolved
    items: dict[str, tuple[Item, ...]]
    """Task -> items."""
    weights: dict[str, str]
    """Model -> fingerprint of its weights."""
    templates: dict[str, str]
    """Model -> hash of what its chat template writes."""
    notes: tuple[str, ...] = ()
    """Notes on the prompts, for the user."""
    depths: Mapping[str, SerialDepth] = field(default_factory=dict)
    """Model -> its opaque serial depth."""

    @property
    def spec(self) -> RunSpec:
        """The spec."""
        return self.resolved.spec

    @property
    def probes(self) -> tuple[ResolvedProbe, ...]:
        """The spec's probes."""
        return self.resolved.probes

    @property
    def models(self) -> Mapping[str, ResolvedModel]:
        """The spec's models, by id."""
        return self.resolved.models

    def model(self, name: str) -> ModelSpec:
        """Return the model with this id."""
        return self.models[name].spec

    def shards(self, run: RunRecord) -> list[Shard]:
        """Return all shards of the spec's subjects and the tasks that they answer in ``run``, model by model."""
        return [Shard(*group, *bounds) for group in self.groups for bounds in run.shards(group[1])]

    @property
    def groups(self) -> list[tuple[str, str]]:
        """Each of the spec's subjects with each task that it answers, model by model."""
        return [
            (model.id, task.name)
            for model in self.spec.subjects
            for task in self.spec.tasks
            if self.spec.answers(model.id, task.name)
        ]


def make_plan(spec: RunSpec) -> Plan:
    """Check everything that can be checked without weights. The output folder's run, if there is one, gives the date.

    Raises:
        InputError: the spec, a task or a model's source is wrong, or an engine cannot serve a probe. All models that
            cannot be used are named.

    """
    import_plugins(spec.plugins)
    store = open_store(spec.output)
    check_place(store)
    try:
        return _plan(spec, store)
    except InputError as error:
        raise with_all_broken(spec, error) from error


def _plan(spec: RunSpec, store: Store) -> Plan:
    spec, precisions = with_dtypes(with_revisions(spec))
    spec = with_sizes(spec)
    resolved = resolve(spec, prompt_date(spec, load_run(store)))
    items = {task.name: tuple(tasks.load_task(task, spec.seed)) for task in spec.tasks}
    check_interventions(resolved, items)
    check_probes(resolved, items)
    check_roles(resolved)
    check_tensor_parallel(resolved)
    weights = {name: fingerprint(model) for name, model in resolved.models.items()}
    notes = (*precisions, *source_notes(spec), *idle_notes(resolved), *variant_notes(resolved))
    notes += (*prompt_notes(resolved, items), *tokenizer_notes(resolved, items))
    templates = {m.spec.id: _template_hash(m.spec) for m in prompted(resolved)}
    return Plan(resolved, items, weights, templates, notes, serial_depths(resolved.models))


def _template_hash(model: ModelSpec) -> str:
    return template_digest(model, load_codec(model, _SAME_FOR_ALL))


def overflow_warnings(plan: Plan) -> list[str]:
    """Return a line for each model, task and variant with a question that leaves no room for a chain."""
    lines = []
    for model in plan.resolved.subjects:
        window = context_window(model)
        if window is None:
            continue
        templates = make_templates(model.spec, plan.spec.prompts, model.codec)
        for name, items in plan.items.items():
            if not plan.spec.answers(model.spec.id, name):
                continue
            room = window - plan.spec.sampling.max_tokens
            for variant in plan.resolved.variants:
                framed = plan.resolved.under(variant, name, items)
                count = sum(len(model.codec.encode(templates.cot(item))) > room for item in framed)
                if count:
                    under = "" if variant == PLAIN else f" under {variant}"
                    lines.append(
                        f"{model.spec.id} on {name}{under}: {count} of {len(items)} questions and sampling.max_tokens "
                        f"exceed the context window of {window} tokens: those rows get the status context_overflow."
                    )
    return lines
