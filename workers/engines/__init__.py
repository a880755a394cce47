"""The engines by name. Nothing here imports torch, vLLM or an HTTP client until an engine is made or queried."""

from collections.abc import Callable
from dataclasses import dataclass

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.engines.embedding import options as embedding_options
from cotfaith.workers.engines.openai import options as openai_options
from cotfaith.workers.engines.protocol import Capabilities, Engine
from cotfaith.workers.engines.vllm import options as vllm_options


@dataclass(frozen=True)
class EngineKind:
    """How to make an engine, and what is known about it before it is made."""

    make: Callable[[ModelSpec, int | None], Engine]
    capabilities: Callable[[ModelSpec], Capabilities]
    """Found from only the spec, or from the server that it names; raises ``InputError`` on a wrong option."""
    execution_options: frozenset[str] = frozenset()
    """Options that change speed and not results, so a resumed run may change them."""
    served_model: Callable[[ModelSpec], str] | None = None
    """For engines that use a server: the model's name there, which identifies weights that cannot be inspected."""
    tokenizer: Callable[[ModelSpec], str] = lambda spec: spec.source
    """The tokenizer's source."""


def _make_stub(spec: ModelSpec, threads: int | None) -> Engine:
    from cotfaith.workers.engines.stub.engine import StubEngine

    return StubEngine(spec, threads)


def _stub_capabilities(spec: ModelSpec) -> Capabilities:
    from cotfaith.workers.engines.stub.engine import static_capabilities

    return static_capabilities(spec)


def _make_transformers(spec: ModelSpec, threads: int | None) -> Engine:
    from cotfaith.workers.engines.transformers.engine import TransformersEngine

    return TransformersEngine(spec, threads)


def _transformers_capabilities(spec: ModelSpec) -> Capabilities:
    from cotfaith.workers.engines.transformers.options import static_capabilities

    return static_capabilities(spec)


def _make_vllm(spec: ModelSpec, threads: int | None) -> Engine:
    from cotfaith.workers.engines.vllm.engine import VllmEngine

    return VllmEngine(spec, threads)


def _make_openai(spec: ModelSpec, threads: int | None) -> Engine:
    from cotfaith.workers.engines.openai.options import check_packages

    check_packages(spec)
    from cotfaith.workers.engines.openai.engine import OpenAIEngine

    return OpenAIEngine(spec, threads)


def _make_embedding(spec: ModelSpec, threads: int | None) -> Engine:
    from cotfaith.workers.engines.embedding.engine import EmbeddingEngine

    return EmbeddingEngine(spec, threads)


ENGINES: dict[str, EngineKind] = {
    "stub": EngineKind(_make_stub, _stub_capabilities, frozenset({"seconds_per_call", "kill_on", "kill_once_file"})),
    "transformers": EngineKind(
        _make_transformers,
        _transformers_capabilities,
        frozenset({"token_budget", "max_rows", "device", "attention", "prefix_tree"}),
    ),
    "vllm": EngineKind(_make_vllm, vllm_options.static_capabilities, vllm_options.EXECUTION_OPTIONS),
    "openai": EngineKind(
        _make_openai,
        openai_options.discovered_capabilities,
        openai_options.EXECUTION_OPTIONS,
        openai_options.served_model,
        openai_options.tokenizer_source,
    ),
    "embedding": EngineKind(
        _make_embedding, embedding_options.static_capabilities, frozenset(embedding_options.Options.model_fields)
    ),
}


def find_engine(spec: ModelSpec) -> EngineKind:
    """Return the kind of engine that ``spec`` names; raise ``SpecError`` if there is none."""
    if spec.engine not in ENGINES:
        raise SpecError(f"models.{spec.id}.engine: {unknown('engine', spec.engine, ENGINES)}")
    return ENGINES[spec.engine]
