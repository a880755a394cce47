"""Spec -> plan: the items, and the shards of work on them. Loads items and tokenizers, never weights.

Every mistake that can be seen without weights is found here.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cotfaith.cluster.plan.models import context_window, fingerprint
from cotfaith.cluster.plan.prompt_date import prompt_date
from cotfaith.cluster.plan.roles import check_helpers, helpers, readers
from cotfaith.cluster.plan.tokenizer_notes import tokenizer_notes
from cotfaith.cluster.storage.read import load_run
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas import keys
from cotfaith.schemas.errors import CapabilityError, SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import ModelSpec, RunSpec, StrategyName, TaskSpec
from cotfaith.workers import tasks
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.protocol import Capabilities
from cotfaith.workers.plugins import import_plugins
from cotfaith.workers.probes import check_applies, find_probe
from cotfaith.workers.probes.lib.probe import Need
from cotfaith.workers.roles.editors.prompt import PROMPT_KINDS, find_prompt
from cotfaith.workers.shard.work import answer_method
from cotfaith.workers.text.codec import load_codec
from cotfaith.workers.text.template_check import check_template, template_digest
from cotfaith.workers.text.templates import Templates

_CHAINS = "the chains themselves"
_SAME_FOR_ALL = datetime(2003, 4, 17, 21, 56, 38)
"""What chat templates are told where they are hashed: the run's own date is no part of what a template is."""


@dataclass(frozen=True)
class Shard:
    """A range of items of one task for one model."""

    model: str
    task: str
    strategy: StrategyName
    start: int
    stop: int

    @property
    def id(self) -> str:
        """Its name in commits and keys."""
        return keys.shard_id(self.model, self.task, self.strategy, self.start, self.stop)

    def entry(self, key: str, probe: str | None, reader: str | None) -> dict[str, Any]:
        """Return what every object about the shard, or about a probe on it, begins with; ``key`` is its own."""
        return {"key": key, "shard": self.id, **asdict(self), "probe": probe, "reader": reader}


@dataclass(frozen=True)
class Plan:
    """A checked spec with its items."""

    spec: RunSpec
    items: dict[str, tuple[Item, ...]]
    """Task -> items."""
    weights: dict[str, str]
    """Model -> fingerprint of its weights."""
    templates: dict[str, str]
    """Model -> hash of what its chat template writes."""
    date: datetime
    """What chat templates are told: the output folder's run's date, if there is one."""
    notes: tuple[str, ...] = ()
    """What is worth knowing about the prompts."""

    def shards(self, size: int) -> list[Shard]:
        """Return all shards, model by model."""
        return [
            Shard(model.id, task.name, strategy, start, min(start + size, len(self.items[task.name])))
            for model in self.spec.subjects
            for task in self.spec.tasks
            for strategy in self.spec.strategies
            for start in range(0, len(self.items[task.name]), size)
        ]

    def model(self, name: str) -> ModelSpec:
        """Return the model with this id."""
        return next(model for model in self.spec.models if model.id == name)

    def item_fingerprints(self) -> dict[str, str]:
        """Return task -> fingerprint of its items."""
        return {name: tasks.fingerprint(found) for name, found in self.items.items()}


def make_plan(spec: RunSpec) -> Plan:
    """Check everything that can be checked without weights.

    Raises:
        InputError: the spec, a task, a model's source, or a probe that an engine cannot serve.

    """
    import_plugins(spec.plugins)
    for probe in spec.probes:
        find_probe(probe)
    capabilities = {model.id: find_engine(model).capabilities(model) for model in spec.models}
    items = {task.name: tuple(tasks.load_task(task, spec.seed)) for task in spec.tasks}
    check_applies(spec, [item for found in items.values() for item in found])
    _check_supplied(spec, items)
    for model in spec.subjects:
        for task in spec.tasks:
            _check_capabilities(spec, model, task, items[task.name], capabilities[model.id])
    check_helpers(spec)
    weights = {model.id: fingerprint(model) for model in spec.models}
    date = prompt_date(spec, load_run(open_store(spec.output.path)))
    notes = [note for model in spec.models for note in _check_prompts(spec, model, items, date)]
    notes += tokenizer_notes(spec.subjects, items)
    templates = {model.id: template_digest(model, load_codec(model, _SAME_FOR_ALL)) for model in _spoken_to(spec)}
    return Plan(spec, items, weights, templates, date, tuple(notes))


def _spoken_to(spec: RunSpec) -> list[ModelSpec]:
    """Return the models that get prompts; embedders get bare texts."""
    return [model for model in spec.models if set(model.roles) != {"embedder"}]


def _check_prompts(spec: RunSpec, model: ModelSpec, items: Mapping[str, Sequence[Item]], date: datetime) -> list[str]:
    """Check the model's chat template on what the run asks it; return notes."""
    if model not in _spoken_to(spec):
        return []
    asked = [item for found in items.values() for item in found] if "subject" in model.roles else []
    edits = any(helpers(spec, subject, spec.probes).get("editor") == model for subject in spec.subjects)
    prompts = [find_prompt(kind, spec.editor) for kind in PROMPT_KINDS] if edits else []
    return check_template(model, load_codec(model, date), spec.prompts, asked, prompts)


def _check_supplied(spec: RunSpec, items: Mapping[str, Sequence[Item]]) -> None:
    """A chain that comes with its item is a plain one: other strategies have nothing to probe there."""
    others = [name for name in spec.strategies if name != "cot"]
    supplied = [task for task, found in items.items() if any(item.supplied is not None for item in found)]
    if others and supplied:
        raise SpecError(
            f"tasks.{supplied[0]}: its items come with their chains, which are plain ones; strategies also has "
            f"{' and '.join(others)}. Put this task into a spec of its own with strategies: [cot]."
        )


def _check_capabilities(
    spec: RunSpec, model: ModelSpec, task: TaskSpec, items: Sequence[Item], can: Capabilities
) -> None:
    methods = {answer_method(task, item) for item in items}
    unfit = sorted({item.answer_format for item in items if not item.is_closed})
    if task.answer_by == "score" and unfit:
        raise SpecError(
            f"tasks.{task.name}.answer_by: score needs candidates, which {unfit[0]} answers do not have. "
            "Use auto or generate."
        )
    offered = {name for name in ("generate", "score", "prefill") if getattr(can, name)}
    wanted: dict[str, set[str]] = {_CHAINS: {"generate", "prefill", *methods}}
    for probe in spec.probes:
        if model.id in (readers(spec, probe) or [model.id]):
            wanted[f"probe {probe.name!r}"] = _resolve(find_probe(probe)[0].needs, methods)
    lacking = {who: missing for who, needs in wanted.items() if (missing := needs - offered)}
    if lacking:
        what = sorted(set().union(*lacking.values()))
        raise CapabilityError(
            f"Task {task.name!r} needs {' and '.join(what)} for {' and '.join(lacking)}. Engine {model.engine!r} of "
            f"model {model.id!r} offers only {' and '.join(sorted(offered))}. {_way_out(what, _CHAINS in lacking)}"
        )


def _resolve(needs: frozenset[Need], methods: Set[str]) -> set[str]:
    own = needs & {"generate", "score", "prefill"}  # the others are what helpers do
    return {*own, *methods} if "answer" in needs else set(own)


def _way_out(lacking: Sequence[str], chains: bool) -> str:
    if lacking == ["score"]:
        return "Set answer_by: generate for the task, or use the transformers engine."
    return "Use the transformers engine." if chains else "Use the transformers engine, or leave the probe out."


def overflow_warnings(plan: Plan) -> list[str]:
    """Return a line for each model and task in which some question leaves no room for a chain."""
    lines = []
    for model in plan.spec.subjects:
        window = context_window(model)
        if window is None:
            continue
        codec = load_codec(model, plan.date)
        templates = Templates(model, plan.spec.prompts, codec)
        for name, items in plan.items.items():
            room = window - plan.spec.sampling.max_tokens
            count = sum(len(codec.encode(templates.cot(item))) > room for item in items)
            if count:
                lines.append(
                    f"{model.id} on {name}: {count} of {len(items)} questions and sampling.max_tokens "
                    f"exceed the context window of {window} tokens: those rows get the status context_overflow."
                )
    return lines
