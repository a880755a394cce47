"""Whether two models were measured on the same terms: what must be alike, what may differ, and what is left out.

In: two sides. Out: ``Terms``: the tasks and strategies that are compared, and warnings in sentences. What decides which
chains are sampled, or what a figure means, must be alike: seed, prompts, sampling, steps, how a task is answered. A
probe or an intervention that is set otherwise is left out, with a warning. What belongs to a model (its engine, its
template, its editor) may differ, with a warning, because a difference can then come from it. Whether items are the same
is seen in their rows (``item_sums.py``), not here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.verdicts.comparing.side import Pair, Run, Side
from cotfaith.schemas.errors import InputError

_ALIKE = {
    "seed": "it decides which items are generated, which answers hints push to, and every sample",
    "sampling": "chains of other lengths or temperatures are other chains",
    "prompts": "other prompts ask another question",
    "steps": "figures by step would be of other steps",
}
"""Parts of an identity that must be alike, and why."""
_MODEL = ("engine", "dtype", "chat", "thinking", "system", "options")
_HELPED = {"editors": "the mistakes and paraphrases are written", "embedders": "meanings are compared"}


@dataclass(frozen=True)
class Terms:
    """What is compared of two models."""

    tasks: tuple[str, ...]
    strategies: tuple[str, ...]
    probes: frozenset[str]
    """The probes that are left out, because they are set otherwise."""
    variants: frozenset[tuple[str, str]]
    """The tasks and interventions whose variants are left out, because they are set otherwise."""
    warnings: tuple[str, ...]

    def admits(self, task: str, probe: str | None, variant: str) -> bool:
        """Return whether a figure is compared."""
        return probe not in self.probes and (task, variant.partition(".")[0]) not in self.variants


def terms(pair: Pair) -> Terms:
    """Return what is compared; raise ``InputError`` that names everything that must be alike and is not."""
    a, b = pair
    tasks = tuple(task for task in a.tasks if task in b.tasks)
    strategies = tuple(name for name in _strategies(a) if name in _strategies(b))
    if not tasks:
        raise InputError(_nothing(pair, "task", a.tasks, b.tasks))
    if not strategies:
        raise InputError(_nothing(pair, "strategy", list(_strategies(a)), list(_strategies(b))))
    if changed := list(_contradictions(pair, tasks, strategies)):
        raise InputError(
            f"{a.name} and {b.name} were not measured on the same terms:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nRun one of them again with the settings of the other."
        )
    probes = frozenset(name for name, _, _ in _differing(pair, "probes"))
    variants = frozenset(_variants(pair, tasks))
    return Terms(tasks, strategies, probes, variants, tuple(_warnings(pair, probes, variants)))


def _nothing(pair: Pair, kind: str, of_a: list[str], of_b: list[str]) -> str:
    a, b = pair
    return (
        f"{a.name} and {b.name} have no {kind} in common: {', '.join(of_a)}; {', '.join(of_b)}. Run both on the "
        f"same {kind}."
    )


def _strategies(side: Side) -> Mapping[str, str | None]:
    return side.run.record.identity.strategies


def _contradictions(pair: Pair, tasks: tuple[str, ...], strategies: tuple[str, ...]) -> Iterator[str]:
    a, b = (side.run.record.identity for side in pair)
    for name, why in _ALIKE.items():
        yield from (f"{line}; {why}" for line in _changes(name, getattr(a, name), getattr(b, name)))
    for task in tasks:
        yield from _changes(f"tasks.{task}", a.tasks.get(task, {}), b.tasks.get(task, {}))
    for name in strategies:
        yield from _changes(f"prompts of {name}", a.strategies[name], b.strategies[name])


def _changes(name: str, a: Any, b: Any) -> list[str]:
    """Return a line for each place that differs."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return [line for key in {**a, **b} for line in _changes(f"{name}.{key}", a.get(key), b.get(key))]
    return [] if a == b else [f"{name}: {_short(a)}, and {_short(b)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _differing(pair: Pair, part: str) -> list[tuple[str, Any, Any]]:
    """Return what both runs have under a name in a part of their identities, and not alike."""
    a, b = (getattr(side.run.record.identity, part) for side in pair)
    return [(name, a[name], b[name]) for name in a if name in b and a[name] != b[name]]


def _variants(pair: Pair, tasks: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, _, _ in _differing(pair, "interventions"):
        intervention, _, task = name.partition(" of ")
        if task in tasks:
            yield task, intervention


def _warnings(pair: Pair, probes: frozenset[str], variants: frozenset[tuple[str, str]]) -> Iterator[str]:
    a, b = pair
    for name in sorted(probes):
        yield f"The probe {name} has other settings in the two runs: its figures are left out."
    for task, name in sorted(variants):
        yield f"The intervention {name} of {task} has other settings in the two runs: its variants are left out."
    if a.run.record.run_id != b.run.record.run_id:
        yield from _of_runs(a.run, b.run)
    yield from _of_models(a, b)


def _of_runs(a: Run, b: Run) -> Iterator[str]:
    for kind, of_a, of_b in (
        ("tasks", a.record.ranges, b.record.ranges),
        ("strategies", a.record.identity.strategies, b.record.identity.strategies),
        ("probes", a.record.identity.probes, b.record.identity.probes),
        ("interventions", a.record.identity.interventions, b.record.identity.interventions),
    ):
        if alone := sorted({*of_a} ^ {*of_b}):
            yield f"Only one of the runs has the {kind} {', '.join(alone)}: left out."
    limits = a.record.max_tokens, b.record.max_tokens
    if limits[0] != limits[1]:
        yield (
            f"Chains may have {limits[0]} and {limits[1]} tokens: the smaller limit cuts more of them, and chains that "
            "are cut have no answer."
        )
    versions = a.record.cotfaith_version, b.record.cotfaith_version
    if versions[0] != versions[1]:
        yield f"The runs were made by cotfaith {versions[0]} and {versions[1]}, which may read answers in other ways."


def _of_models(a: Side, b: Side) -> Iterator[str]:
    """Yield what differs between the models besides their weights."""
    of_a, of_b = a.run.record.identity, b.run.record.identity
    had, has = of_a.models.get(a.model, {}), of_b.models.get(b.model, {})
    for name in _MODEL:
        if had.get(name) != has.get(name):
            yield f"The models differ in {name}: {_short(had.get(name))}, and {_short(has.get(name))}."
    if of_a.chat_templates.get(a.model) != of_b.chat_templates.get(b.model):
        yield "The models have other chat templates, so that they read other prompts."
    for part, does in _HELPED.items():
        helped, helps = getattr(of_a, part), getattr(of_b, part)
        differ = [
            probe
            for probe in of_a.probes
            if (old := helped.get(f"{probe} of {a.model}")) is not None
            and (new := helps.get(f"{probe} of {b.model}")) is not None
            and old != new
        ]
        if differ:
            yield f"In {', '.join(differ)}, {does} by others: a difference can come from them."
