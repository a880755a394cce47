"""The jobs of one stage of a run, model by model: counted before they are made, and made one after another.

In: the maker of jobs, and the states of the run's shards. Out: ``StageJobs``, whose jobs exist only while they are
used. A shard's commits are read when its turn comes, and only if its state does not say what is missing. Runs nothing.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from cotfaith.cluster.fleet.jobs import Found, Job, Jobs, Reading
from cotfaith.cluster.storage.ledger import Shard, Wanted
from cotfaith.cluster.storage.run_states import Group, RunStates
from cotfaith.cluster.storage.shard_state import ShardState

Look = Callable[[Shard, Reading | None, Sequence[Found]], None]
"""Is told of each shard when its turn comes: what it is, whose reading (null: the subject's own), and its jobs."""


@dataclass(frozen=True)
class ModelJobs:
    """The jobs in which one model answers."""

    model: str
    probes: frozenset[str]
    """The probes that they may run."""
    shards: int
    """The shards with work left, or at least as many; one for each probe that a reader runs."""
    items: int
    """Of these shards."""
    make: Callable[[], Iterable[Job]]

    def __len__(self) -> int:
        return self.shards

    def __iter__(self) -> Iterator[Job]:
        """Yield the jobs. Each shard is looked at when its turn comes; to begin again is to look again."""
        return iter(self.make())


@dataclass(frozen=True)
class StageJobs:
    """The jobs of all models that have any."""

    models: Sequence[ModelJobs] = ()

    def __len__(self) -> int:
        return sum(map(len, self.models))

    def __iter__(self) -> Iterator[Job]:
        return chain.from_iterable(self.models)

    @property
    def items(self) -> int:
        """The items of their shards."""
        return sum(one.items for one in self.models)


def listed(jobs: Iterable[Job]) -> StageJobs:
    """Return jobs that are there already."""
    of_model: dict[str, list[Job]] = {}
    for job in jobs:
        of_model.setdefault(job.model, []).append(job)
    return StageJobs([_listed(model, own) for model, own in of_model.items()])


def _listed(model: str, jobs: Sequence[Job]) -> ModelJobs:
    probes = frozenset(probe for job in jobs for probe in job.probes)
    return ModelJobs(model, probes, len(jobs), sum(len(job.items) for job in jobs), partial(iter, jobs))


def subjects(jobs: Jobs, states: RunStates, look: Look) -> StageJobs:
    """Return the jobs of all shards whose chains or probes are not all committed. A model's tasks take turns."""
    models = dict.fromkeys(model for model, _ in jobs.plan.groups)
    return _stage(_of_subject(model, jobs, states, look) for model in models)


def _of_subject(model: str, jobs: Jobs, states: RunStates, look: Look) -> ModelJobs:
    groups = [group for group in jobs.plan.groups if group[0] == model]
    count = _count(states, groups, jobs.own)

    def make() -> Iterator[Job]:
        for group, number in _by_turns(states, groups, partial(_has_work, jobs.own)):
            shard = states.shard(group, number)
            yield from _given(states, shard, None, list(jobs.of_shard(shard, states)), look)

    return ModelJobs(model, count.probes, count.shards, count.items, make)


def readers(jobs: Jobs, states: RunStates, look: Look) -> StageJobs:
    """Return the jobs of readers on the items whose chains are committed."""
    found = list(jobs.reading_groups())
    names = dict.fromkeys(one.reader for one in found)
    return _stage(_of_reader(name, [one for one in found if one.reader == name], jobs, states, look) for name in names)


def _of_reader(name: str, readings: Sequence[Reading], jobs: Jobs, states: RunStates, look: Look) -> ModelJobs:
    counts = [_count(states, [one[:2]], jobs.reading(one.probe, one.reader)) for one in readings]

    def make() -> Iterator[Job]:
        for one in readings:
            wanted = jobs.reading(one.probe, one.reader)
            for number in states.having(one[:2], partial(_has_work, wanted)):
                shard = states.shard(one[:2], number)
                found = list(jobs.of_reading(shard, one.probe, one.reader, states))
                yield from _given(states, shard, one, found, look)

    probes = frozenset(probe for count in counts for probe in count.probes)
    return ModelJobs(name, probes, sum(one.shards for one in counts), sum(one.items for one in counts), make)


def _stage(models: Iterable[ModelJobs]) -> StageJobs:
    return StageJobs([one for one in models if len(one)])


def _given(
    states: RunStates, shard: Shard, reading: Reading | None, found: Sequence[Found], look: Look
) -> Iterator[Job]:
    look(shard, reading, found)
    for one in found:
        states.given(shard, len(one.job.items))
        yield one.job


@dataclass
class _Count:
    shards: int = 0
    items: int = 0
    probes: frozenset[str] = frozenset()


def _count(states: RunStates, groups: Iterable[Group], wanted: Wanted) -> _Count:
    """Count the shards with work, as far as their states say."""
    found = _Count()
    for group in groups:
        for state, shards, items in states.counts(group):
            if state.has_work(wanted):
                found.shards, found.items = found.shards + shards, found.items + items
                found.probes |= {piece.probe for piece in state.may_lack(wanted) if piece.probe is not None}
    return found


def _has_work(wanted: Wanted, state: ShardState) -> bool:
    return state.has_work(wanted)


def _by_turns(
    states: RunStates, groups: Sequence[Group], chosen: Callable[[ShardState], bool]
) -> Iterator[tuple[Group, int]]:
    """Yield the shards to look at: the first ones of all tasks, then as many of each as it has."""
    turns = [_turns(states, group, chosen, place) for place, group in enumerate(groups)]
    for _, place, number in heapq.merge(*turns):
        yield groups[place], number


def _turns(
    states: RunStates, group: Group, chosen: Callable[[ShardState], bool], place: int
) -> Iterator[tuple[float, int, int]]:
    n = states.n_shards(group)
    return ((number / n, place, number) for number in states.having(group, chosen))
