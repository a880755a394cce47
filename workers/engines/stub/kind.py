"""The stub engine as the registry knows it."""

from cotfaith.workers.engines.kind import EngineKind
from cotfaith.workers.engines.stub.engine import Options, StubEngine, static_capabilities

KIND = EngineKind(
    name="stub",
    summary="No weights: deterministic answers, for tests and demonstrations.",
    options=Options,
    make=StubEngine,
    capabilities=static_capabilities,
    execution_options=frozenset(
        {"seconds_per_call", "seconds_to_load", "load_error", "kill_on", "kill_once_file", "most_requests"}
    ),
    has_weights=False,
    shares_gpus=True,
)
