"""The two sides of a comparison: a model of a run each, and which models are compared with which.

In: stores of two runs, or one store twice, and what the user names. Out: pairs of ``Side``, the one before first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import InputError
from cotfaith.schemas.run_objects import RunRecord
from cotfaith.schemas.suggest import unknown


@dataclass(frozen=True)
class Run:
    """A run's folder, as it was opened."""

    name: str
    """What the user calls it: its folder."""
    store: Store
    record: RunRecord
    ledger: Ledger

    @property
    def models(self) -> list[str]:
        """The models with committed rows."""
        return sorted({shard.model for shard in self.ledger.logs})


@dataclass(frozen=True)
class Side:
    """One model of a run."""

    run: Run
    model: str

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{self.model} of {self.run.name}"

    def ledger_of(self, task: str) -> Ledger:
        """Return the model's shards of a task."""
        own = {shard: log for shard, log in self.run.ledger.logs.items() if shard[:2] == (self.model, task)}
        return Ledger(own)

    @property
    def tasks(self) -> list[str]:
        """The tasks with committed rows of the model."""
        return sorted({shard.task for shard in self.run.ledger.logs if shard.model == self.model})


Pair = tuple[Side, Side]


def pairs_of_runs(a: Run, b: Run, named: Sequence[str] = ()) -> list[Pair]:
    """Return the models of two runs that are compared.

    Args:
        a: the run before.
        b: the run after.
        named: "MODEL", or "MODEL_A:MODEL_B" if it has another name in ``b``. Empty: all models that both have, or the
            only one of each.

    Raises:
        InputError: a run has no rows or not the model, or it is not clear which models are meant.

    """
    for run in (a, b):
        if not run.models:
            raise InputError(f"{run.name}: nothing is committed yet, so there is nothing to compare.")
    if named:
        return [_named(a, b, one) for one in named]
    common = [model for model in a.models if model in b.models]
    if not common and len(a.models) == len(b.models) == 1:
        return [(Side(a, a.models[0]), Side(b, b.models[0]))]
    if not common:
        raise InputError(
            f"{a.name} and {b.name} have no model in common: {', '.join(a.models)}; {', '.join(b.models)}. Name which "
            f"are compared: --model {a.models[0]}:{b.models[0]}"
        )
    return [(Side(a, model), Side(b, model)) for model in common]


def pair_of_models(run: Run, before: str, after: str) -> Pair:
    """Return two models of one run; ``InputError`` if it lacks one, or both are the same."""
    if before == after:
        raise InputError(f"--models: {before!r} is named twice. Name two models of the run: {', '.join(run.models)}.")
    return Side(run, _known(run, before, "--models")), Side(run, _known(run, after, "--models"))


def _named(a: Run, b: Run, text: str) -> Pair:
    before, colon, after = text.partition(":")
    return Side(a, _known(a, before, "--model")), Side(b, _known(b, after if colon else before, "--model"))


def _known(run: Run, model: str, option: str) -> str:
    if model not in run.models:
        raise InputError(f"{option}: {run.name}: {unknown('model', model, run.models)}")
    return model
