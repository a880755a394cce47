"""Splits of datasets on the hub.

A split is read from the Parquet files into which the hub converts every dataset (branch ``refs/convert/parquet``):
``CONFIG/SPLIT/0000.parquet``. All of them are taken from one commit. The library ``datasets`` is not needed, and no
code of a dataset runs.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.suggest import unknown
from cotfaith.workers.remote.address import HubAddress
from cotfaith.workers.remote.cache import cache_root, write_file
from cotfaith.workers.remote.hub import check_size, download, names_of
from cotfaith.workers.remote.hub_errors import hub_errors, is_offline, uncached

_CONVERTED = "refs/convert/parquet"
_PARTIAL = "partial-"
"""The hub's prefix for splits of which it converted only the first gigabytes."""
Listing = tuple[str, Sequence[str]]
"""The commit of the branch, and its files."""
Splits = Mapping[str, Mapping[str, Sequence[str]]]
"""Config -> split -> its files, in order."""


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
    with hub_errors(address, origin):
        commit, names = _remembered(address, origin) if is_offline() else _converted(address, origin)
        files = _chosen(_splits(names), split, config, f"{origin}: {address}")
        converted = HubAddress(address.repo, commit, "")
        check_size(converted, files, origin, limit)
        return [download(converted, name) for name in files]


def _converted(address: HubAddress, origin: str) -> Listing:
    """Return what the branch of Parquet files has now, and remember it for offline use."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        commit = str(HfApi().dataset_info(address.repo, revision=_CONVERTED).sha)
    except RevisionNotFoundError:
        names = names_of(address.repo, None)
        raise SpecError(
            f"{origin}: {address}: the hub has no Parquet version of this dataset, so its splits are not known. Name "
            f"one of its files: {', '.join(names[:20]) or 'it has none'}."
        ) from None
    names = [name for name in names_of(address.repo, commit) if name.endswith(".parquet")]
    write_file(_memory(address), json.dumps([commit, names]).encode())
    return commit, names


def _remembered(address: HubAddress, origin: str) -> Listing:
    """Return what the branch had when it was last asked: offline, nobody else knows which files make a split."""
    try:
        commit, names = json.loads(_memory(address).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise uncached(f"{origin}: {address}") from None
    return commit, names


def _memory(address: HubAddress) -> Path:
    from huggingface_hub import constants

    digest = hashlib.sha256(f"{constants.ENDPOINT} {address.repo}".encode()).hexdigest()[:32]
    return cache_root() / "splits" / f"{digest}.json"


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
