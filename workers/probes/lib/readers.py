"""The readers of a probe: the models that answer in it after all chains are committed.

Out: for each task, the models that the probe's option ``readers`` names, or all models with its ``reader_role``. Who is
asked about whose chains is decided in ``resolved``.
"""

from collections.abc import Sequence

from pydantic import Field

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.records import READER
from cotfaith.schemas.spec import ModelSpec, RunSpec, Section
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.probes.lib.probe import Probe


class ReaderOptions(Section):
    """The options of probes whose readers are asked about a chain."""

    readers: tuple[str, ...] | None = None
    """The ids of the models that read, all with the probe's role; null: all that have it. A subject reads its own
    chains only if it is named here.
    """
    prompts: dict[str, str] = Field(default={})
    """Name of a prompt -> a file (also s3:// or hf://) that takes its place and contains {chain}, or that text itself.
    """


def reader_ids(spec: RunSpec, probe: Probe, options: Section, task: str) -> tuple[str, ...]:
    """Return the models that read a task's chains, in the spec's order.

    These are the ones in the option ``readers``, if it is set. Else they are all models with the probe's role; for the
    role "reader", the subjects that answer the task.

    Raises:
        SpecError: a reader does not have the role, or there is none.

    """
    able, named = _able(spec, probe), named_readers(options)
    word = "subject" if probe.reader_role == READER else probe.reader_role
    for reader in named or ():
        if reader not in able:
            hint = f" Give that model the role {word}." if reader in {model.id for model in spec.models} else ""
            raise SpecError(f"probes.{probe.name}.options.readers: {unknown(word, reader, able)}{hint}")
    if not able:
        raise SpecError(
            f"probes: {probe.name!r} asks models with the role {word}, and the spec has none. Add a model with roles: "
            f"[{word}], or remove the probe."
        )
    wanted = [one for one in able if word != "subject" or spec.answers(one, task)] if named is None else named
    return tuple(model for model in able if model in wanted)


def named_readers(options: Section) -> Sequence[str] | None:
    """Return the option ``readers``; None: it is not set, or the probe has none."""
    named: Sequence[str] | None = getattr(options, "readers", None)
    return named


def _able(spec: RunSpec, probe: Probe) -> list[str]:
    return [model.id for model in spec.models if _is_able(model, probe.reader_role)]


def _is_able(model: ModelSpec, role: str) -> bool:
    return ("subject" if role == READER else role) in model.roles
