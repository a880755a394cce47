"""A spec for processes with other working directories: the run's folder and models' folders by absolute paths.

In: a spec as it was written. Out: the same, where relative paths are absolute. Reads nothing but whether a folder is
there; addresses, hub ids and organisms stay as they are.
"""

from pathlib import Path

from cotfaith.cluster.storage.store import absolute
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.organisms.folder import PREFIX
from cotfaith.workers.remote.address import is_address


def portable(spec: RunSpec) -> RunSpec:
    """Return ``spec`` with absolute paths."""
    output = spec.output.model_copy(update={"path": absolute(spec.output.path)})
    return spec.model_copy(update={"output": output, "models": tuple(map(portable_model, spec.models))})


def portable_model(model: ModelSpec) -> ModelSpec:
    """Return ``model`` with the absolute path of its folder, if its source is a folder here."""
    folder = model_path(model)
    return model if folder is None else model.model_copy(update={"source": str(folder)})


def model_path(model: ModelSpec) -> Path | None:
    """Return the absolute path of the folder with the model's weights; None if its source is no folder here."""
    engine = find_engine(model)
    if not engine.has_weights or engine.served_model is not None:
        return None
    if is_address(model.source) or model.source.startswith(PREFIX):
        return None
    folder = Path(model.source).expanduser().absolute()
    return folder if folder.is_dir() else None
