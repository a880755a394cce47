"""Files of datasets on the hub, through huggingface_hub: its cache, HF_ENDPOINT, HF_TOKEN and offline mode apply."""

from collections.abc import Sequence
from pathlib import Path

from cotfaith.schemas.errors import SpecError
from cotfaith.workers import limits
from cotfaith.workers.remote.address import HubAddress
from cotfaith.workers.remote.hub_errors import hub_errors, is_offline, transport_error
from cotfaith.workers.remote.names import nearest


def hub_file(address: HubAddress, origin: str, limit: int) -> Path:
    """Return the file's copy in the hub's cache, downloaded if it has changed.

    Raises:
        SpecError: there is no such dataset or file, it may not be read, or it is larger than ``limit`` bytes.

    """
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with hub_errors(address, origin):
        try:
            check_size(address, [address.path], origin, limit)
            return download(address, address.path)
        except RemoteEntryNotFoundError:
            names = names_of(address.repo, address.revision)
    raise SpecError(f"{origin}: {address}: {nearest('file', address.path, names)}")


def names_of(repo: str, revision: str | None) -> list[str]:
    """Return the names of a dataset's files, sorted; raises the hub's errors."""
    from huggingface_hub import HfApi

    return sorted(HfApi().list_repo_files(repo, revision=revision, repo_type="dataset"))


def check_size(address: HubAddress, names: Sequence[str], origin: str, limit: int) -> None:
    """Ask for the files' sizes; raise ``SpecError`` if their sum is above ``limit``, or the hub's errors."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    if is_offline():
        return
    urls = [hf_hub_url(address.repo, name, repo_type="dataset", revision=address.revision) for name in names]
    try:
        size = sum(get_hf_file_metadata(url).size or 0 for url in urls)
    except transport_error() as error:
        if getattr(getattr(error, "response", None), "status_code", 500) < 500:
            raise
        return  # the file may be in the hub's cache
    check_limit(str(address), size, origin, limit)


def check_limit(place: str, size: int, origin: str, limit: int) -> None:
    """Raise ``SpecError`` if a file of ``size`` bytes is too large to be read into memory."""
    if size > limit:
        raise SpecError(
            f"{origin}: {place} has {size / 2**30:.2f} GiB; files of records are read into memory, so at most "
            f"{limit / 2**30:.2f} GiB are taken. Split it, keep the records that are needed, or set {limits.FILE} to "
            "more."
        )


def download(address: HubAddress, name: str) -> Path:
    """Return the hub's cached copy of a file, downloaded if it has changed; raises the hub's errors."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(address.repo, name, repo_type="dataset", revision=address.revision))
