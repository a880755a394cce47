"""All models of a spec that cannot be used, named at once. Asks each model for itself; loads tokenizers, never weights.

In: a spec that could not be planned, and the error. Out: that error, or one that also names the other broken models.
"""

from collections.abc import Iterator

from cotfaith.cluster.plan.models import fingerprint, with_revision
from cotfaith.schemas.errors import InputError, ModelSourceError
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.workers.engines.resolved import resolve_model


def with_all_broken(spec: RunSpec, first: InputError) -> InputError:
    """Return ``first``, or an error with a line for it and for each model that cannot be used."""
    lines = dict.fromkeys([str(first), *map(str, _faults(spec))])
    if len(lines) == 1:
        return first
    return ModelSourceError(f"{len(lines)} things about this spec cannot be used:\n" + "\n".join(lines))


def _faults(spec: RunSpec) -> Iterator[InputError]:
    for model in spec.models:
        try:
            _use(model)
        except InputError as error:
            yield error


def _use(model: ModelSpec) -> None:
    resolved = resolve_model(with_revision(model))
    fingerprint(resolved)
    if resolved.kind.has_weights and resolved.kind.served_model is None:
        _ = resolved.codec
