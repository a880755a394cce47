"""Files and splits of datasets on the hub, through huggingface_hub: its cache, HF_ENDPOINT, HF_TOKEN, offline mode.

A split is read from the Parquet files into which the hub converts every dataset (branch ``refs/convert/parquet``):
``CONFIG/SPLIT/0000.parquet``. The library ``datasets`` is not needed, and no code of a dataset runs.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.remote.address import HubAddress
from cotfaith.workers.remote.hub_errors import hub_errors, is_offline, transport_error
from cotfaith.workers.remote.names import nearest

_CONVERTED = "refs/convert/parquet"
_PARTIAL = "partial-"
"""The hub's prefix for splits of which it converted only the first gigabytes."""
Splits = Mapping[str, Mapping[str, Sequence[str]]]
"""Config -> split -> its files, in order."""


def hub_file(address: HubAddress, origin: str, limit: int) -> Path:
    """Return the file's copy in the hub's cache, downloaded if it has changed.

    Raises:
        SpecError: there is no such dataset or file, it may not be read, or it is larger than ``limit`` bytes.

    """
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with hub_errors(address, origin):
        try:
            _check_size(address, [address.path], origin, limit)
            return _download(address, address.path)
        except RemoteEntryNotFoundError:
            names = _names(address.repo, address.revision)
    raise SpecError(f"{origin}: {address}: {nearest('file', address.path, names)}")


def hub_split(address: HubAddress, split: str | None, config: str | None, origin: str, limit: int) -> list[Path]:
    """Return the copies of a split's Parquet files, in order.

    Raises:
        SpecError: there is no such dataset, configuration or split, or it is larger than ``limit`` bytes.

    """
    if address.revision is not None:
        raise SpecError(
            f"{origin}: {address}: a split is read from the hub's Parquet files, which follow the main branch. Leave "
            "out @revision, or name a file of that revision."
        )
    converted = HubAddress(address.repo, _CONVERTED, "")
    with hub_errors(address, origin):
        found = _splits(_converted_names(address, origin))
        files = _chosen(found, split, config, f"{origin}: {address}")
        _check_size(converted, files, origin, limit)
        return [_download(converted, name) for name in files]


def _converted_names(address: HubAddress, origin: str) -> list[str]:
    """Return the names of the hub's Parquet files of a dataset; offline, of those in the cache."""
    from huggingface_hub.errors import RevisionNotFoundError

    if is_offline():
        return _cached_names(address.repo)
    try:
        return [name for name in _names(address.repo, _CONVERTED) if name.endswith(".parquet")]
    except RevisionNotFoundError:
        names = _names(address.repo, None)
    raise SpecError(
        f"{origin}: {address}: the hub has no Parquet version of this dataset, so its splits are not known. Name one "
        f"of its files: {', '.join(names[:20]) or 'it has none'}."
    )


def _splits(names: Sequence[str]) -> Splits:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in sorted(names):
        config, _, rest = name.partition("/")
        split, _, file = rest.partition("/")
        if file:
            found[config][split].append(name)
    return found


def _chosen(found: Splits, split: str | None, config: str | None, place: str) -> Sequence[str]:
    """Return the files of the split; the configuration may be left out if there is one, or one named default."""
    chosen = config or (next(iter(found)) if len(found) == 1 else "default")
    if chosen not in found:
        if config is None:
            raise SpecError(f"{place}: set config to one of {', '.join(sorted(found)) or 'none'}.")
        raise SpecError(f"{place}: {unknown('config', config, found)}")
    splits = found[chosen]
    if split is None:
        raise SpecError(f"{place}: set split to one of {', '.join(sorted(splits))}, or name a file.")
    if split in splits:
        return splits[split]
    if _PARTIAL + split in splits:
        raise SpecError(
            f"{place}: the hub converted only a part of split {split!r}, because it is so large. Name its files, or "
            f"set split to {_PARTIAL + split!r} to read that part."
        )
    raise SpecError(f"{place}: {unknown('split', split, splits)}")


def _names(repo: str, revision: str | None) -> list[str]:
    from huggingface_hub import HfApi

    return sorted(HfApi().list_repo_files(repo, revision=revision, repo_type="dataset"))


def _cached_names(repo: str) -> list[str]:
    """Return the names of the newest snapshot's Parquet files in the hub's cache."""
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(repo, repo_type="dataset", revision=_CONVERTED, local_files_only=True))
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))


def _check_size(address: HubAddress, names: Sequence[str], origin: str, limit: int) -> None:
    """Ask for the files' sizes; raise if their sum is above ``limit``."""
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
            f"{limit / 2**30:.2f} GiB are taken. Split it, or keep the records that are needed."
        )


def _download(address: HubAddress, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(address.repo, name, repo_type="dataset", revision=address.revision))
