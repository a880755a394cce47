"""cotfaith: measure whether a language model's chain of thought can be trusted, per model and per task."""

from importlib.metadata import PackageNotFoundError, version

from cotfaith.schemas.errors import CotfaithError, InputError
from cotfaith.schemas.spec import RunSpec, parse_spec
from cotfaith.schemas.status import Status

try:
    __version__ = version("cotfaith")
except PackageNotFoundError:  # imported from a source tree that is not installed
    __version__ = "0+unknown"

__all__ = ["CotfaithError", "InputError", "RunSpec", "Status", "__version__", "parse_spec"]
