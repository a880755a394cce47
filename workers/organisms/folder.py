"""The folders of the packaged organisms: ``organism:NAME`` as a model's source.

Any other source is returned unchanged. Knows nothing about a folder's contents.
"""

from pathlib import Path

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.suggest import unknown

PREFIX = "organism:"
WEIGHTS = Path(__file__).parent / "weights"


def packaged() -> list[str]:
    """Return the names of all organisms and checkpoints in the package, sorted."""
    return sorted(config.parent.name for config in WEIGHTS.glob("*/config.json"))


def folder_of(name: str) -> Path:
    """Return the folder of a packaged organism; raise ``ModelSourceError`` that lists them if there is none."""
    if name not in packaged():
        raise ModelSourceError(f"{unknown('organism', name, packaged())} `cotfaith organisms list` describes them.")
    return WEIGHTS / name


def resolve_source(source: str) -> str:
    """Return a model's source with ``organism:NAME`` replaced by its folder."""
    return str(folder_of(source.removeprefix(PREFIX))) if source.startswith(PREFIX) else source
