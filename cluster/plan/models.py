"""A model's source, checked and fingerprinted before any weights load."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.resolved import ResolvedModel
from cotfaith.workers.organisms.folder import resolve_source

_SAMPLE = 1 << 20  # bytes hashed at each end of a weights file


def fingerprint(resolved: ResolvedModel) -> str:
    """Return a hash that changes with the model's configuration or weights.

    Folders: config.json, and size, first and last MiB of every safetensors file. Hub ids: the resolved commit.
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
    config = _config(model.spec)
    return getattr(getattr(config, "text_config", config), "max_position_embeddings", None)


def _folder_fingerprint(model: ModelSpec, folder: Path) -> str:
    config, weights = folder / "config.json", sorted(folder.glob("*.safetensors"))
    if not config.is_file() or not weights:
        raise ModelSourceError(
            f"models.{model.id}.source: {str(folder)!r} has no {'config.json' if weights else 'safetensors file'}. "
            "Weights in other formats are not loaded; save the model with save_pretrained(folder)."
        )
    digest = hashlib.sha256(config.read_bytes())
    for path in weights:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            file.seek(max(0, size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _hub_fingerprint(model: ModelSpec) -> str:
    config = _config(model)
    commit = getattr(config, "_commit_hash", None)
    return commit or hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True, default=str).encode()).hexdigest()


def _config(model: ModelSpec) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            resolve_source(model.source), revision=model.revision, trust_remote_code=model.trust_remote_code
        )
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ModelSourceError(
            f"models.{model.id}.source: no model {model.source!r}: it is not a folder here, and as a hub id it gave: "
            f"{reason[0] if reason else type(error).__name__} "
            "Name a folder with config.json and safetensors, or a hub id such as 'owner/name'."
        ) from error
