"""What a spec says about the sizes, families, checkpoints and losses of a run's models.

In: the models of a run's record. Out: ``Families``. Knows nothing about figures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cotfaith.schemas.run_objects import ModelEntry


@dataclass(frozen=True)
class Training:
    """A model at the end of its training, and the checkpoints on the way."""

    model: str
    family: str | None
    parameters: int | None
    checkpoints: tuple[str, ...]
    """The model itself is the last of them."""


@dataclass(frozen=True)
class Families:
    """The models by family, by training, and by loss."""

    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Family -> model -> parameters; checkpoints are not in it."""
    trainings: tuple[Training, ...] = ()
    """Every model that is no checkpoint, largest first."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """Model -> loss."""

    @classmethod
    def of(cls, models: Iterable[ModelEntry]) -> "Families":
        """Return those of the subjects."""
        subjects = [model for model in models if "subject" in model.roles]
        ends = [model for model in subjects if model.checkpoint_of is None]
        sizes: dict[str, dict[str, int]] = {}
        for model in ends:
            if model.family is not None and model.parameters is not None:
                sizes.setdefault(model.family, {})[model.id] = model.parameters
        earlier = {end.id: [one.id for one in subjects if one.checkpoint_of == end.id] for end in ends}
        found = [Training(one.id, one.family, one.parameters, (*earlier[one.id], one.id)) for one in ends]
        ordered = sorted(found, key=lambda one: (-(one.parameters or 0), one.model))
        losses = {model.id: model.loss for model in subjects if model.loss is not None}
        return cls(sizes, tuple(ordered), losses)
