"""A text of the spec -> a file on this machine: a local path as it is, a copy of what is elsewhere.

Copies of objects are in the node's cache (``cache.py``), by address and ETag; the hub's are in its own cache.
"""

import hashlib
from pathlib import Path

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import resolve_path
from cotfaith.workers.limits import most_bytes
from cotfaith.workers.remote.address import HubAddress, parse_address
from cotfaith.workers.remote.cache import cache_root, filled
from cotfaith.workers.remote.copies import Copy
from cotfaith.workers.remote.hub import check_limit, hub_file
from cotfaith.workers.remote.hub_split import hub_split
from cotfaith.workers.remote.names import nearest
from cotfaith.workers.remote.s3_objects import Objects
from cotfaith.workers.remote.s3_url import S3Url


def local_file(text: str, origin: str) -> Path:
    """Return the file that ``text`` names; a local one need not exist. ``origin`` begins the messages.

    Raises:
        SpecError: it is elsewhere and not there, may not be read, or is larger than ``limits.most_bytes``.
        StoreError: the server cannot be reached, or failed.

    """
    address = parse_address(text, origin)
    if address is None:
        return resolve_path(text)
    if isinstance(address, S3Url):
        return Copy.of(_s3_file(address, text.endswith("/"), origin), str(address))
    if not address.path:
        raise SpecError(f"{origin}: {address} is a whole dataset. Name one of its files.")
    return Copy.of(hub_file(address, origin, most_bytes()), str(address))


def local_files(text: str, split: str | None, config: str | None, origin: str) -> list[Path]:
    """Return the files that ``text`` names: one, or those of a split of a dataset on the hub.

    Raises:
        SpecError: as ``local_file`` does, and if there is no such split, or a split is not asked of a dataset.

    """
    address = parse_address(text, origin)
    if isinstance(address, HubAddress) and not address.path:
        name = f"{address}, split {split}"
        return [Copy.of(path, name) for path in hub_split(address, split, config, origin, most_bytes())]
    for key, value in (("split", split), ("config", config)):
        if value is not None:
            raise SpecError(
                f"{origin}: only a dataset (hf://datasets/owner/name) has a {key}, and the file is {text!r}. "
                f"Remove {key}, or the file's name behind the dataset's."
            )
    return [local_file(text, origin)]


def _s3_file(address: S3Url, is_folder: bool, origin: str) -> Path:
    objects = Objects(address, origin)
    name = address.key.rpartition("/")[2]
    one = None if is_folder or name in ("", ".", "..") else objects.one()
    if one is None:
        missing = nearest("object", address.key.rpartition("/")[2], objects.beside())
        raise SpecError(f"{origin}: {address}: {missing}")
    check_limit(str(address), one.size, origin, most_bytes())
    digest = hashlib.sha256(f"{address} {one.size} {one.etag}".encode()).hexdigest()[:32]
    folder = filled(cache_root() / "files" / digest, [one], objects.download, {"source": str(address)})
    return folder / one.name
