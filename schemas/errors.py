"""Every error that cotfaith raises on purpose.

    CotfaithError
    ├── InputError              the user can mend it: exit code 2, before any model loads
    │   ├── SpecError           the run spec: syntax, unknown key, wrong value
    │   ├── TaskError           a task's file or its items
    │   ├── CapabilityError     a probe asks for what an engine cannot do
    │   ├── ModelSourceError    weights or tokenizer that are not where the spec says
    │   ├── RunConflictError    the output folder holds a run that this spec contradicts
    │   └── RunFolderError      an object of a run's folder is damaged, copied or not ours
    ├── EngineError             an engine failed on a request
    │   └── ContextOverflowError
    ├── StoreError              object storage misbehaved
    └── RunFailedError          a run could not go on

Each says what was got, what was expected and what to do. All of them take their message alone, so that they stay
picklable across processes.
"""


class CotfaithError(Exception):
    """Root of the tree."""


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
    """The output folder holds a run that contradicts the spec."""


class RunFolderError(InputError):
    """An object of a run's folder is not what was written there."""


class EngineError(CotfaithError):
    """An engine failed on a request."""


class ContextOverflowError(EngineError):
    """A request is longer than the model's context window."""


class StoreError(CotfaithError):
    """Object storage did not do what was asked."""


class RunFailedError(CotfaithError):
    """The run could not go on; what was committed is kept."""
