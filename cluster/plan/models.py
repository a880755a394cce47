"""A model's source, checked and fingerprinted before any weights load."""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec, RunSpec
from cotfaith.workers.engines import find_engine
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.organisms.folder import resolve_source
from cotfaith.workers.remote.address import is_address
from cotfaith.workers.remote.model_folder import ModelFolder, model_folder
from cotfaith.workers.remote.s3_objects import RemoteObject
from cotfaith.workers.sources import description_source

_SAMPLE = 1 << 20  # bytes hashed at each end of a weights file
_READERS = 8  # objects that are read at once
Sample = tuple[str, int, bytes, bytes]
"""A weights file: name, bytes, its first and its last MiB."""


def with_revisions(spec: RunSpec) -> RunSpec:
    """Return ``spec`` with the revisions of models in object storage, so that all nodes load the same files.

    Models on a server get what the server decides about their requests.

    Raises:
        InputError: there is no model at a source, or it has another revision than the spec's.

    """
    return spec.model_copy(update={"models": tuple(with_revision(model) for model in spec.models)})


def with_revision(model: ModelSpec) -> ModelSpec:
    """Return ``model`` with its revision, if it is in object storage; raises as ``with_revisions``."""
    engine = find_engine(model)
    model = engine.settled(model)
    remote = remote_folder(model) if engine.has_weights and engine.served_model is None else None
    if remote is None:
        return model
    remote.check_revision()
    return model.model_copy(update={"revision": remote.revision})


def source_notes(spec: RunSpec) -> list[str]:
    """Return a line for each model in object storage with files that are not used."""
    return [line for model in spec.models if model.revision and (line := _source_note(model))]


def _source_note(model: ModelSpec) -> str:
    remote = remote_folder(model) if is_address(model.source) else None
    unused = remote.unused if remote is not None else []
    names = ", ".join(unused[:12])
    return f"{model.id}: code and other weights in {model.source} are not downloaded: {names}." if unused else ""


def fingerprint(resolved: ResolvedModel) -> str:
    """Return a hash that changes with the model's configuration or weights.

    Folders, also in object storage: config.json, and size, first and last MiB of every safetensors file; so a folder
    and its copy there have the same. Hub ids: the resolved commit.
    Models on a server: their name on it.

    Raises:
        ModelSourceError: there is no model at the source.

    """
    model, engine = resolved.spec, resolved.kind
    if not engine.has_weights:
        return engine.name
    served = engine.served_model
    if served is not None:
        return f"served:{served(model)}"
    remote = remote_folder(model)
    if remote is not None:
        return _remote_fingerprint(remote)
    folder = Path(resolve_source(model.source)).expanduser()
    if folder.is_dir():
        return _folder_fingerprint(model, folder)
    if folder.exists() or model.source.startswith((".", "/", "~")) or model.source.count("/") > 1:
        raise ModelSourceError(
            f"models.{model.id}.source: {model.source!r} is not a folder. "
            "Name a folder with config.json and safetensors, or a hub id such as 'owner/name'."
        )
    return _hub_fingerprint(model)


def context_window(model: ResolvedModel) -> int | None:
    """Return the context window in tokens that the engine's options or the model's configuration state, or None."""
    stated = model.capabilities.max_context
    if stated is not None or not model.kind.has_weights or model.kind.served_model is not None:
        return stated
    config = model_config(model.spec)
    return getattr(getattr(config, "text_config", config), "max_position_embeddings", None)


def _folder_fingerprint(model: ModelSpec, folder: Path) -> str:
    config, weights = folder / "config.json", sorted(folder.glob("*.safetensors"))
    if not config.is_file() or not weights:
        raise ModelSourceError(
            f"models.{model.id}.source: {str(folder)!r} has no {'config.json' if weights else 'safetensors file'}. "
            "Weights in other formats are not loaded; save the model with save_pretrained(folder)."
        )
    return _digest(config.read_bytes(), map(_sampled, weights))


def remote_folder(model: ModelSpec) -> ModelFolder | None:
    """Return the model's folder in object storage, or None if it is elsewhere."""
    origin = f"models.{model.id}"
    found = model_folder(model.source, f"{origin}.source", model.revision)
    if found is not None and model.trust_remote_code:
        raise ModelSourceError(
            f"{origin}.trust_remote_code: code is not downloaded from {model.source!r}. Leave this out, or use a local "
            "folder or a hub id."
        )
    return found


def _remote_fingerprint(folder: ModelFolder) -> str:
    def sampled(one: RemoteObject) -> Sample:
        head, tail = folder.read(one, 0, _SAMPLE), folder.read(one, max(0, one.size - _SAMPLE), _SAMPLE)
        return one.name, one.size, head, tail

    config = folder.config
    with ThreadPoolExecutor(_READERS) as pool:
        return _digest(folder.read(config, 0, config.size), pool.map(sampled, folder.weights))


def _sampled(path: Path) -> Sample:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
        file.seek(max(0, size - _SAMPLE))
        return path.name, size, head, file.read(_SAMPLE)


def _digest(config: bytes, weights: Iterable[Sample]) -> str:
    digest = hashlib.sha256(config)
    for name, size, head, tail in weights:
        digest.update(f"{name} {size}".encode() + head + tail)
    return digest.hexdigest()


def _hub_fingerprint(model: ModelSpec) -> str:
    config = model_config(model)
    commit = getattr(config, "_commit_hash", None)
    return commit or hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True, default=str).encode()).hexdigest()


def model_config(model: ModelSpec) -> Any:
    """Return the transformers configuration at the model's source; raise ``ModelSourceError`` if there is none."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            description_source(model.source, model.revision, f"models.{model.id}.source"),
            revision=model.revision,
            trust_remote_code=model.trust_remote_code,
        )
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ModelSourceError(
            f"models.{model.id}.source: no model {model.source!r}: it is not a folder here, and as a hub id it gave: "
            f"{reason[0] if reason else type(error).__name__} "
            "Name a folder with config.json and safetensors, or a hub id such as 'owner/name'."
        ) from error
