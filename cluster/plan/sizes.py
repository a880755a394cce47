"""The sizes of a family's models, for the sweep over sizes: from the spec, else counted from the models' files.

In: a spec. Out: the spec with ``parameters`` for every model that has a family. Checkpoints have their model's size.
"""

from cotfaith.cluster.plan.model_size import parameters
from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.workers.engines import find_engine


def with_sizes(spec: RunSpec) -> RunSpec:
    """Return ``spec`` with the sizes of its families' models; raise ``SpecError`` that names those of unknown size."""
    models = tuple(_sized(model) for model in spec.models)
    unknown = [_told(model) for model in models if _lacks_size(model)]
    if unknown:
        raise SpecError("\n".join(unknown))
    return spec.model_copy(update={"models": models})


def _lacks_size(model: ModelSpec) -> bool:
    return model.family is not None and model.parameters is None and model.checkpoint_of is None


def _told(model: ModelSpec) -> str:
    return (
        f"models.{model.id}.parameters: it has the family {model.family!r}, and its size cannot be counted from its "
        "files. Set parameters, such as 135M, or leave the family out."
    )


def _sized(model: ModelSpec) -> ModelSpec:
    engine = find_engine(model)
    if not _lacks_size(model) or not engine.has_weights or engine.served_model is not None:
        return model
    return model.model_copy(update={"parameters": parameters(model)})
