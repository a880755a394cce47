"""The errors that cotfaith raises on purpose. Subclasses that only one module needs are defined there.

    CotfaithError
    ├── InputError              the user can fix it: exit code 2, before any model loads
    │   ├── SpecError           the run spec: syntax, unknown key, wrong value
    │   ├── TaskError           a task's file or its items
    │   ├── CapabilityError     a probe asks for what an engine cannot do
    │   ├── ModelSourceError    weights or a tokenizer are not where the spec says
    │   ├── RunConflictError    the output folder holds a run that this spec contradicts, or that is worked on
    │   └── RunFolderError      an object of a run's folder is damaged, copied or not ours
    ├── EngineError             an engine failed on a request
    │   ├── ContextOverflowError
    │   ├── EngineMemoryError   the engine ran out of memory on a batch
    │   ├── EngineLostError     the engine's process is gone
    │   ├── RefusedError        a server answered, and will answer the same again
    │   │   └── UnauthorizedError
    │   ├── ServerBusyError     a server may answer the next try
    │   └── UnreachableError    a server answered none of the tries
    ├── UncountedError          a model's operations cannot be counted (``cluster/plan/serial_depth.py``)
    ├── MetadataError           a cloud's metadata server gave no usable answer
    ├── StoreError              object storage misbehaved
    │   └── UnfitStoreError     it lacks what a run rests on; an InputError too
    ├── RunFailedError          a run could not continue
    └── RunStoppedError         a run was asked to stop before its end

Each message says what was got, what was expected and what to do. Every error takes only its message, so it can be
pickled between processes. A message can quote what other programs said, and goes to terminals, logs and rows: so it has
no secret from the beginning (``unshown.py``).
"""

from cotfaith.schemas.unshown import without_credentials


class CotfaithError(Exception):
    """The root of the tree."""

    def __init__(self, message: str = "") -> None:
        super().__init__(without_credentials(str(message)))


class InputError(CotfaithError):
    """Something the user gave is wrong."""


class SpecError(InputError):
    """The run spec cannot be used."""


class TaskError(InputError):
    """A task's file or items cannot be used."""


class CapabilityError(InputError):
    """A probe needs something that the engine does not offer."""


class ModelSourceError(InputError):
    """A model's source does not exist or cannot be loaded."""


class RunConflictError(InputError):
    """The output folder holds a run that contradicts the spec, or that another driver works on."""


class RunFolderError(InputError):
    """An object of a run's folder is not what was written there."""


class EngineError(CotfaithError):
    """An engine failed on a request."""


class ContextOverflowError(EngineError):
    """A request is longer than the model's context window."""


class EngineMemoryError(EngineError):
    """The engine ran out of memory on a batch; fewer requests at a time may fit."""


class EngineLostError(EngineError):
    """The engine's process is gone: nothing about the requests can be said."""

    role = "subject"
    """Whose engine it was. Set on the instance by who knows; exceptions keep such attributes when they are pickled."""
    preempted = False
    """Whether Ray says that the engine's node was preempted. Set on the instance, as ``role`` is."""


class RefusedError(EngineError):
    """The server answered, and will answer the same again."""


class UnauthorizedError(RefusedError):
    """The server wants another key."""


class ServerBusyError(EngineError):
    """The server did not answer, or put the request off; another try may succeed."""

    wait_s: float | None = None
    """Seconds that the server asks to wait; null: it named no time. Set on the instance."""


class UnreachableError(EngineError):
    """No answer in all tries: nobody listens, the time was up, or the server was too busy."""


class UncountedError(CotfaithError):
    """A model's operations cannot be counted; the message says why, as a clause."""


class MetadataError(CotfaithError):
    """A cloud's metadata server did not answer as expected; it may at the next try."""


class StoreError(CotfaithError):
    """Object storage failed on an operation."""


class UnfitStoreError(StoreError, InputError):
    """The store lacks what a run rests on; the user can name another one."""


class RunFailedError(CotfaithError):
    """The run could not continue; committed results are kept."""


class RunStoppedError(CotfaithError):
    """The run was asked to stop before its end, by a limit or a signal; committed results are kept."""
