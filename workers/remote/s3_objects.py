"""Objects below an address: listed, read in part, and downloaded to a file that is checked.

After a download, size and checksums (``checksums.py``) have to agree, and the object has to have the ETag that was
listed: one that changed meanwhile is refused.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cotfaith.schemas.errors import StoreError
from cotfaith.workers.remote.checksums import Sums, agreements, bare, sums_of
from cotfaith.workers.remote.patient_s3 import PATIENCE_S, Patience, PatientS3
from cotfaith.workers.remote.s3_errors import code_of
from cotfaith.workers.remote.s3_url import S3Url

_FIRST_PATIENCE_S = 20.0  # for questions: a user waits for the plan
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.EACCES, errno.ENOENT)
_MISSING = ("NoSuchKey", "404", "NotFound")
_CHANGED = ("PreconditionFailed", "412")
T = TypeVar("T")


@dataclass(frozen=True)
class RemoteObject:
    """An object as its listing describes it."""

    name: str
    """Its key behind the listed prefix."""
    key: str
    size: int
    """Bytes."""
    etag: str


class Objects:
    """The objects at an address, read with one client; ``origin`` begins the messages.

    Every method raises ``SpecError`` for what the user can fix (bucket, credentials, permissions, region), and
    ``StoreError`` if the server fails.
    """

    def __init__(self, address: S3Url, origin: str) -> None:
        self.address, self.origin = address, origin
        self._s3 = PatientS3(Patience(_FIRST_PATIENCE_S))

    def below(self) -> list[RemoteObject]:
        """Return all objects whose keys begin with the address and a slash."""
        bucket, prefix = self.address.bucket, f"{self.address.key}/" if self.address.key else ""

        def ask(client: Any) -> list[RemoteObject]:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [_listed(one, prefix) for page in pages for one in page.get("Contents", ())]

        return self._asked(ask)

    def one(self) -> RemoteObject | None:
        """Return the object at the address, or None if there is none."""
        from botocore.exceptions import ClientError

        bucket, key = self.address.bucket, self.address.key

        def ask(client: Any) -> RemoteObject | None:
            try:
                got = client.get_object(Bucket=bucket, Key=key)  # a failed HEAD would not give its reason
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return None
                raise
            got["Body"].close()
            return RemoteObject(key.rpartition("/")[2], key, got["ContentLength"], bare(got["ETag"]))

        return self._asked(ask)

    def beside(self) -> list[str]:
        """Return names next to the address, folders with a slash behind them; at most 1,000."""
        parent = self.address.key.rpartition("/")[0]
        bucket, prefix = self.address.bucket, f"{parent}/" if parent else ""
        page = self._asked(lambda client: client.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/"))
        folders = [one["Prefix"] for one in page.get("CommonPrefixes", ())]
        keys = [one["Key"] for one in page.get("Contents", ())]
        return sorted(key.removeprefix(prefix) for key in folders + keys if key != prefix)

    def read(self, one: RemoteObject, start: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``start`` on; raise ``StoreError`` if the object has changed."""
        from botocore.exceptions import ClientError

        if start >= one.size:
            return b""
        part = {"Range": f"bytes={start}-{min(start + length, one.size) - 1}", "IfMatch": f'"{one.etag}"'}

        def ask(client: Any) -> bytes:
            try:
                data: bytes = client.get_object(Bucket=self.address.bucket, Key=one.key, **part)["Body"].read()
            except ClientError as error:
                if code_of(error) in (*_MISSING, *_CHANGED):
                    raise self._wrong(one, "it was replaced after it was listed. Try again.") from None
                raise
            return data

        return self._asked(ask)

    def download(self, one: RemoteObject, target: Path) -> Sums:
        """Write the object to ``target`` and check it; return its checksums.

        Raises:
            StoreError: also if the object is gone or changed, or what arrived is not what is there.
            OSError: the file cannot be written.

        """
        bucket = self.address.bucket

        def ask(client: Any) -> dict[str, Any] | OSError:
            try:
                _transfer(client, bucket, one.key, target)
            except OSError as error:
                if error.errno in _DISK:
                    return error  # another try would not help
                raise
            head: dict[str, Any] = client.head_object(Bucket=bucket, Key=one.key, ChecksumMode="ENABLED")
            return head

        head = self._s3.call(f"{self.origin}: s3://{bucket}/{one.key}", ask, Patience(PATIENCE_S))
        if isinstance(head, OSError):
            raise head
        sums = sums_of(target)
        if bare(head["ETag"]) != one.etag:
            raise self._wrong(one, "it was replaced during the download. Try again.")
        if sums.size != one.size or not all(agreements(head, sums)):
            raise self._wrong(one, f"{sums.size:,} of {one.size:,} bytes arrived, or not the same ones. Try again.")
        return sums

    def _asked(self, ask: Callable[[Any], T]) -> T:
        return self._s3.call(f"{self.origin}: {self.address}", ask)

    def _wrong(self, one: RemoteObject, what: str) -> StoreError:
        return StoreError(f"{self.origin}: s3://{self.address.bucket}/{one.key}: {what}")


def _transfer(client: Any, bucket: str, key: str, target: Path) -> None:
    """Download in parallel parts, each with retries."""
    from boto3.exceptions import RetriesExceededError

    try:
        client.download_file(bucket, key, str(target), Config=transfer_config())
    except RetriesExceededError as error:
        raise ConnectionError(f"{type(error.last_exception).__name__} too often") from error


def transfer_config() -> Any:
    """Return how files are transferred: in parallel parts, with retries."""
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(max_concurrency=8, num_download_attempts=8)


def _listed(one: dict[str, Any], prefix: str) -> RemoteObject:
    return RemoteObject(one["Key"].removeprefix(prefix), one["Key"], one["Size"], bare(one["ETag"]))
