"""A model's source -> what the libraries load: a folder on this machine, or a hub id.

``organism:NAME`` is a folder of the package. A folder in object storage (``s3://``) is copied into this node's cache
first: without its weights for a tokenizer, as a whole for an engine.
"""

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec, resolve_path
from cotfaith.workers.organisms.folder import resolve_source
from cotfaith.workers.remote.model_folder import model_folder


def description_source(source: str, revision: str | None, origin: str) -> str:
    """Return the folder or hub id with a model's configuration and tokenizer; ``origin`` begins the messages.

    Raises:
        InputError: there is nothing there, or it may not be read.

    """
    remote = model_folder(source, origin, revision)
    return resolve_source(source) if remote is None else str(remote.description())


def weights_source(spec: ModelSpec) -> str:
    """Return the folder or hub id with a model's weights; downloads a folder in object storage once a node.

    Raises:
        InputError: there is nothing there, or it may not be read.

    """
    remote = model_folder(spec.source, f"models.{spec.id}.source", spec.revision)
    if remote is not None:
        return str(remote.whole())
    folder = resolve_path(resolve_source(spec.source))
    if folder.is_dir():
        return str(folder)
    if folder.is_file() or spec.source.startswith((".", "/", "~")) or spec.source.count("/") > 1:
        raise ModelSourceError(
            f"Model {spec.id!r}: {spec.source!r} is not a folder. Use a folder, or a hub id (owner/name)."
        )
    return spec.source
