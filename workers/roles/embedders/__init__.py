"""Embedders compare the meanings of steps."""

from cotfaith.schemas.errors import CapabilityError, SpecError
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.roles.embedders import lexical
from cotfaith.workers.roles.embedders.base import Embedder
from cotfaith.workers.roles.embedders.lexical import LexicalEmbedder
from cotfaith.workers.roles.embedders.model import ModelEmbedder


def make_embedder(spec: RunSpec) -> Embedder:
    """Return the embedder that ``spec`` names; raise ``SpecError`` if it names none."""
    model = embedder_model(spec)
    return LexicalEmbedder() if model is None else ModelEmbedder(model.id, load_codec(model))


def embedder_model(spec: RunSpec) -> ModelSpec | None:
    """Return the model whose engine compares meanings; None if words are counted.

    Raises:
        SpecError: the spec names no such model, or the choice is ambiguous.

    """
    models = {model.id: model for model in spec.models if "embedder" in model.roles}
    if lexical.NAME in models:
        raise SpecError(f"models: {lexical.NAME!r} is the rule-based embedder. Give the model another id.")
    if spec.embedder.by == "auto":
        return _only(models)
    if spec.embedder.by == lexical.NAME:
        return None
    if spec.embedder.by not in models:
        raise SpecError(
            f"embedder.by: {unknown('embedder', spec.embedder.by, ['auto', lexical.NAME, *models])} "
            "A model needs embedder in its roles."
        )
    return models[spec.embedder.by]


def _only(models: dict[str, ModelSpec]) -> ModelSpec | None:
    if len(models) > 1:
        raise SpecError(f"embedder.by: auto, but {', '.join(models)} all have the role embedder. Name one of them.")
    return next(iter(models.values()), None)


def check_embedder(spec: RunSpec) -> None:
    """Check, before any weights load, that the embedder that ``spec`` names exists.

    Raises:
        SpecError: the spec names an embedder that does not exist.
        CapabilityError: the model's engine has no embeddings.

    """
    model = embedder_model(spec)
    if model is not None and not find_engine(model).capabilities(model).embed:
        raise CapabilityError(
            f"embedder.by: engine {model.engine!r} of model {model.id!r} has no embeddings. Use the embedding engine "
            "for it, or set embedder.by: lexical."
        )


__all__ = ["Embedder", "check_embedder", "embedder_model", "make_embedder"]
