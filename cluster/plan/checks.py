"""Checks that the engines and items of a spec can serve its probes, before any weights load.

In: a spec whose names are resolved, and its items. Out: nothing, or an ``InputError`` that names the probe, the engine
and what to do; notes on prompts.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import product

from cotfaith.cluster.plan.interventions import check_variants
from cotfaith.cluster.plan.roles import helpers
from cotfaith.cluster.plan.whole_turns import refusal
from cotfaith.schemas.errors import CapabilityError, SpecError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import RunSpec, TaskSpec
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.plugins import faults_named
from cotfaith.workers.probes.lib.probe import ENGINE_NEEDS, Need
from cotfaith.workers.resolved import Resolved, ResolvedProbe
from cotfaith.workers.roles.table import HELPERS, ROLES
from cotfaith.workers.shard.work import answer_method
from cotfaith.workers.strategies import STRATEGIES
from cotfaith.workers.text.template_check import check_template

_CHAINS = "the chains themselves"
ItemsOf = Mapping[str, Sequence[Item]]
"""Task -> its items."""


def check_probes(resolved: Resolved, items: ItemsOf) -> None:
    """Raise ``InputError`` if a probe applies to no item, or an engine cannot do what is asked of it."""
    check_variants(resolved, items)
    check_applies(resolved, items)
    _check_supplied(resolved.spec, items)
    for model in resolved.models.values():
        for task in resolved.spec.tasks:
            if resolved.sees(model.spec.id, task.name):
                _check_capabilities(resolved, model, task, items[task.name])


def check_tensor_parallel(resolved: Resolved) -> None:
    """Raise ``SpecError`` if GPUs should share a model whose engine keeps it on one."""
    for model in resolved.models.values():
        parts = model.spec.resources.tensor_parallel or 1
        if parts > 1 and not model.kind.shares_gpus:
            raise SpecError(
                f"models.{model.spec.id}.resources.tensor_parallel: got {parts}, and the engine {model.kind.name!r} "
                "keeps a model on one GPU. Use engine: vllm, or leave it out."
            )


def check_applies(resolved: Resolved, items: ItemsOf) -> None:
    """Raise ``SpecError`` if the spec has a probe that applies to none of ``items``, under any of its variants."""
    for probe in resolved.probes:
        with faults_named(f"Asking whether {probe.name} applies", probe.kind.applies, "plan again."):
            applies = any(probe.kind.applies(item) for item in _items_of(resolved, probe, items))
        if not applies:
            tasks = ", ".join(task.name for task in resolved.spec.tasks)
            raise SpecError(
                f"probes: {probe.name!r} applies to none of the items of {tasks}. "
                "Remove it, or add a task with items that it applies to (multiple choice for answer_order)."
            )


def _items_of(resolved: Resolved, probe: ResolvedProbe, items: ItemsOf) -> Iterator[Item]:
    for variant in resolved.variants_of(probe):
        for task, found in items.items():
            yield from (under for item in found for under in resolved.under(variant, task, [item]))


def _check_supplied(spec: RunSpec, items: ItemsOf) -> None:
    """Raise if items come with their chains, which are plain ones, and another strategy has none to probe."""
    others = [name for name in spec.strategies if name != "cot"]
    supplied = [task for task, found in items.items() if any(item.supplied is not None for item in found)]
    if others and supplied:
        raise SpecError(
            f"tasks.{supplied[0]}: its items come with their chains, which are plain ones; strategies also has "
            f"{' and '.join(others)}. Put this task into a spec of its own with strategies: [cot]."
        )


def _check_capabilities(resolved: Resolved, model: ResolvedModel, task: TaskSpec, items: Sequence[Item]) -> None:
    methods = {answer_method(task, item, model.whole_turns) for item in items}
    unfit = sorted({item.answer_format for item in items if not item.is_closed})
    if task.answer_by == "score" and unfit:
        raise SpecError(
            f"tasks.{task.name}.answer_by: score needs candidates, which {unfit[0]} answers do not have. "
            "Use auto or generate."
        )
    offered = {name for name in ("generate", "score", "prefill") if getattr(model.capabilities, name)}
    wanted = _wanted(resolved, model, task.name, methods)
    lacking = {who: missing for who, needs in wanted.items() if (missing := needs - offered)}
    if lacking and model.whole_turns:
        raise CapabilityError(refusal(model, task.name, lacking, "score" in methods))
    if lacking:
        what = sorted(set().union(*lacking.values()))
        raise CapabilityError(
            f"Task {task.name!r} needs {' and '.join(what)} for {' and '.join(lacking)}. Engine {model.spec.engine!r} "
            f"of model {model.spec.id!r} offers {'only ' + ' and '.join(sorted(offered)) if offered else 'none'}. "
            f"{_way_out(what, _CHAINS in lacking, 'score' in methods)}"
        )


def _wanted(resolved: Resolved, model: ResolvedModel, task: str, methods: Set[str]) -> dict[str, set[str]]:
    """Return who asks the model's engine for what: the task's chains, and the probes that it answers in."""
    own, answers = model.spec.id, resolved.spec.answers(model.spec.id, task)
    opened = set() if model.whole_turns else {"prefill"}  # their prompts open each turn of the model
    wanted: dict[str, set[str]] = {_CHAINS: {"generate", *opened, *methods}} if answers else {}
    for name in resolved.spec.strategies:
        if STRATEGIES[name].needs_prefill and model in resolved.subjects:
            wanted[f"strategy {name!r}"] = {"prefill"}
    for probe in resolved.probes:
        if own in probe.readers_of.get(task, ()) or (answers and not probe.kind.readers):
            wanted[f"probe {probe.name!r}"] = _own_needs(probe.kind.needs, methods) | opened
    return wanted


def _own_needs(needs: frozenset[Need], methods: Set[str]) -> set[str]:
    own = (needs & ENGINE_NEEDS) - {"answer"}  # helpers do the others
    return {*own, *methods} if "answer" in needs else set(own)


def _way_out(lacking: Sequence[str], chains: bool, scored: bool) -> str:
    """``chains``: whether chains lack something. ``scored``: whether the task's answers are scored."""
    if lacking == ["score"] and scored:
        return "Set answer_by: generate for the task, or use the transformers engine."
    return "Use the transformers engine." if chains else "Use the transformers engine, or remove the probe."


def prompted(resolved: Resolved) -> list[ResolvedModel]:
    """Return the models that get prompts; the others get bare texts."""
    return [model for model in resolved.models.values() if any(ROLES[role].prompted for role in model.spec.roles)]


def idle_notes(resolved: Resolved) -> list[str]:
    """Return a line for each subject that has nothing to do."""
    tasks = [task.name for task in resolved.spec.tasks]
    idle = [model.spec.id for model in resolved.subjects if not any(resolved.sees(model.spec.id, t) for t in tasks)]
    return [f"{model}: no task names it in `models`, so it does nothing." for model in idle]


def prompt_notes(resolved: Resolved, items: ItemsOf) -> list[str]:
    """Check each model's chat template on what the run asks it; return notes."""
    return [note for model in prompted(resolved) for note in _prompt_notes(resolved, model, items)]


def _prompt_notes(resolved: Resolved, model: ResolvedModel, items: ItemsOf) -> list[str]:
    spec = resolved.spec
    seen = [name for name in items if model.spec in spec.subjects and resolved.sees(model.spec.id, name)]
    under = product(seen, resolved.variants)
    asked = (item for name, variant in under for item in resolved.under(variant, name, items[name]))
    helping = [helpers(spec, subject, resolved.probes) for subject in spec.subjects]
    roles = [role for name, role in HELPERS.items() if any(found.get(name) == model.spec for found in helping)]
    prompts = [prompt for role in roles for prompt in role.prompts(spec)]
    return check_template(model.spec, model.codec, spec.prompts, asked, prompts)
