"""The embedding engine as the registry knows it. torch is imported when an engine is made."""

from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.embedding.options import Options, static_capabilities
from cotfaith.workers.engines.kind import EngineKind
from cotfaith.workers.engines.protocol import Engine


def make(spec: ModelSpec, threads: int | None) -> Engine:
    """Load the weights."""
    from cotfaith.workers.engines.embedding.engine import EmbeddingEngine

    return EmbeddingEngine(spec, threads)


KIND = EngineKind(
    name="embedding",
    summary="Sentence vectors from an encoder, for models with the role embedder.",
    options=Options,
    make=make,
    capabilities=static_capabilities,
    execution_options=frozenset(Options.model_fields),
    closes_texts=True,
)
