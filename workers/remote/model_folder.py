"""A model's folder in object storage -> its copy in the node's cache.

Only files that hold no code are taken: safetensors, JSON, text, chat templates, SentencePiece models. The folder's
revision is a digest of what the store lists (names, sizes, ETags): it changes with any of the files. ``description``
has all but the weights, for a plan or a tokenizer; ``whole`` has everything. A copy of a known revision is used without
asking the store.
"""

import hashlib
import json
import re
from functools import cached_property
from pathlib import Path

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.workers.remote.address import FOLDERS, parse_address
from cotfaith.workers.remote.cache import cache_root, filled, is_whole
from cotfaith.workers.remote.names import nearest
from cotfaith.workers.remote.s3_objects import Objects, RemoteObject
from cotfaith.workers.remote.s3_url import S3Url

WEIGHTS = ".safetensors"
_TAKEN = (WEIGHTS, ".json", ".txt", ".jinja", ".model")
_TEMPLATES = "additional_chat_templates"
_CODE = (".py", ".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack", ".gguf", ".onnx")
"""Endings of other weights and of code: a user may expect them to be used."""


class ModelFolder:
    """The objects below an address, as one revision of a model."""

    def __init__(self, address: S3Url, origin: str, revision: str | None = None) -> None:
        self.address, self.origin, self._wanted = address, origin, revision
        self._objects = Objects(address, origin)

    @cached_property
    def listed(self) -> list[RemoteObject]:
        """All objects below the address.

        Raises:
            ModelSourceError: there are none.

        """
        found = [one for one in self._objects.below() if one.name]
        if not found:
            there = nearest("folder", f"{self.address.key.rpartition('/')[2]}/", self._objects.beside())
            raise ModelSourceError(f"{self.origin}: {self.address}: {there}")
        return found

    @cached_property
    def taken(self) -> list[RemoteObject]:
        """The model's files: those without code, directly below the address."""
        return [one for one in self.listed if _is_taken(one.name)]

    @property
    def weights(self) -> list[RemoteObject]:
        """The safetensors files, in the order of their names.

        Raises:
            ModelSourceError: there are none.

        """
        found = [one for one in self.taken if one.name.endswith(WEIGHTS)]
        if not found:
            raise self._lacks("safetensors file")
        return sorted(found, key=lambda one: one.name)

    @property
    def config(self) -> RemoteObject:
        """The file config.json.

        Raises:
            ModelSourceError: there is none.

        """
        found = next((one for one in self.taken if one.name == "config.json"), None)
        if found is None:
            raise self._lacks("config.json")
        return found

    @property
    def left_out(self) -> list[str]:
        """The names of files that are not taken."""
        return [one.name for one in self.listed if not _is_taken(one.name)]

    @property
    def unused(self) -> list[str]:
        """Those left out that hold weights or code."""
        return [name for name in self.left_out if name.lower().endswith(_CODE)]

    @cached_property
    def revision(self) -> str:
        """The wanted revision, or the one that is there now: 32 hexadecimal digits."""
        return self._wanted or self._current

    @cached_property
    def _current(self) -> str:
        rows = sorted((one.name, one.size, one.etag) for one in self.taken)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32]

    def check_revision(self) -> None:
        """Raise ``ModelSourceError`` if the wanted revision is not the one that is there."""
        if self.revision != self._current:
            raise ModelSourceError(
                f"{self.origin}: the files below {str(self.address)!r} changed: their revision is {self._current}, "
                f"expected {self.revision}. Restore them, or set `revision` to null and use another output.path."
            )

    def read(self, one: RemoteObject, start: int, length: int) -> bytes:
        """Return a part of an object."""
        return self._objects.read(one, start, length)

    def description(self) -> Path:
        """Return a folder with all files but the weights, or the whole folder if it is here."""
        whole = self._place("whole")
        return whole if is_whole(whole) else self._copy("description")

    def whole(self) -> Path:
        """Return the folder with all files; the first process of a node downloads them."""
        return self._copy("whole")

    def _copy(self, part: str) -> Path:
        place = self._place(part)
        if is_whole(place):
            return place
        self.check_revision()
        chosen = [one for one in self.taken if part == "whole" or not one.name.endswith(WEIGHTS)]
        about = {"source": str(self.address), "revision": self.revision, "left_out": self.left_out}
        return filled(place, chosen, self._objects.download, about)

    def _place(self, part: str) -> Path:
        source = hashlib.sha256(str(self.address).encode()).hexdigest()[:8]
        name, revision = (
            re.sub(r"[^A-Za-z0-9._-]+", "-", text) for text in (self.address.key.rpartition("/")[2][:60], self.revision)
        )
        return cache_root() / "models" / f"{name}-{source}-{revision}" / part

    def _lacks(self, what: str) -> ModelSourceError:
        others = ", ".join(one.name for one in self.listed[:12])
        return ModelSourceError(
            f"{self.origin}: {str(self.address)!r} has no {what}. There: {others}. Weights in other formats are not "
            "loaded; save the model with save_pretrained(folder) and copy that folder."
        )


def model_folder(source: str, origin: str, revision: str | None = None) -> ModelFolder | None:
    """Return the folder that ``source`` names in object storage, or None if it is a local folder or a hub id.

    Raises:
        InputError: it is an address of another kind.

    """
    address = parse_address(source, origin, FOLDERS)
    if address is None or isinstance(address, S3Url):
        return None if address is None else ModelFolder(address, origin, revision)
    raise ModelSourceError(f"{origin}: {source!r} is a dataset. A model on the hub is named by its id: owner/name.")


def _is_taken(name: str) -> bool:
    parent, _, file = name.rpartition("/")
    return parent in ("", _TEMPLATES) and file.endswith(_TAKEN) and not file.startswith(".")
