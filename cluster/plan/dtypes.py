"""``dtype: auto`` -> a precision, which the run records: the checkpoint's own on a GPU, float32 on the CPU.

CPUs compute bfloat16 slowly (80 times slower than float32 where it was measured), so there the weights are widened,
which is exact. A checkpoint in another format (quantised, float64) is refused: its user decides.
"""

from collections.abc import Callable
from typing import Any, get_args

from cotfaith.cluster.plan.models import model_config
from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import Dtype, ModelSpec, RunSpec
from cotfaith.workers.engines import find_engine

AUTO = "auto"


def with_dtypes(spec: RunSpec, config: Callable[[ModelSpec], Any] = model_config) -> tuple[RunSpec, list[str]]:
    """Return ``spec`` with each model's precision resolved, and a line for each that was ``auto``.

    ``config`` reads a model's configuration.

    Raises:
        ModelSourceError: there is no such model, or its precision is none that an engine computes in.

    """
    found = [_resolved(model, spec, config) for model in spec.models]
    models = tuple(model for model, _ in found)
    return spec.model_copy(update={"models": models}), [note for _, note in found if note]


def _resolved(model: ModelSpec, spec: RunSpec, config: Callable[[ModelSpec], Any]) -> tuple[ModelSpec, str]:
    if model.dtype != AUTO:
        return model, ""
    dtype, reason = _precision(model, spec, config)
    return model.model_copy(update={"dtype": dtype}), f"{model.id}: dtype auto is {dtype}, {reason}."


def _precision(model: ModelSpec, spec: RunSpec, config: Callable[[ModelSpec], Any]) -> tuple[str, str]:
    engine = find_engine(model)
    if not engine.has_weights or engine.served_model is not None:
        return "float32", "which changes nothing: this engine loads no weights"
    if not _on_gpu(model, spec):
        return "float32", "because it runs on the CPU"
    own = own_precision(config(model))
    if own not in set(get_args(Dtype)) - {AUTO}:
        raise ModelSourceError(
            f"models.{model.id}.dtype: auto, but its config.json states {own or 'no precision'}. Set dtype to float32, "
            "bfloat16 or float16."
        )
    return own, "as its checkpoint"


def _on_gpu(model: ModelSpec, spec: RunSpec) -> bool:
    device = str(model.options.get("device", AUTO))
    return device.startswith("cuda") if device != AUTO else spec.resources.of(model).gpus > 0


def own_precision(config: Any) -> str:
    """Return the precision that the configuration states, such as bfloat16, or ""."""
    inner = getattr(config, "text_config", config)
    stated = getattr(inner, "dtype", None) or getattr(config, "dtype", None)
    return "" if stated is None else str(stated).removeprefix("torch.")
