"""A run's storage in a bucket, behind the protocol of ``store.py``.

In: an address, and how objects are encrypted. Tags are ETags. Conditions are S3's own (``If-None-Match: *``,
``If-Match``). An upload whose answer was lost, and which is tried again, is refused because of its own object: so after
each refusal the object is read, and one that equals the data counts as written.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from cotfaith.cluster.storage.limits import check_size
from cotfaith.cluster.storage.upload import upload
from cotfaith.schemas.errors import SpecError
from cotfaith.workers.remote.patient_s3 import PATIENCE_S, Patience, PatientS3
from cotfaith.workers.remote.s3_errors import code_of
from cotfaith.workers.remote.s3_url import MAX_KEY_BYTES, S3Url

MULTIPART_BYTES = 64 * 1024**2
"""Larger objects are uploaded in parts, unless under a condition."""
READERS = 16
"""The threads of ``get_many``; twice as many objects are held at most."""
FIRST_PATIENCE_S = 10.0
"""How long ``check`` waits for a server, in seconds: an address that is wrong should be said soon."""
_LONGEST_KEY_BYTES = 400  # of a run: two names of 100 characters, numbers, an attempt
_PAGE = 1000
_DIGEST = 32  # hex digits


@dataclass(frozen=True)
class Encryption:
    """Server-side encryption of all objects; with neither, the bucket's own setting holds."""

    sse: str | None = None
    """AES256 or aws:kms."""
    kms_key: str | None = None
    """The id or ARN of a KMS key; null: the account's own."""

    def arguments(self) -> dict[str, str]:
        """Return what an upload is called with."""
        found = {"ServerSideEncryption": self.sse, "SSEKMSKeyId": self.kms_key}
        return {name: value for name, value in found.items() if value is not None}


class S3Store:
    """A prefix of a bucket. Nothing is sent before the first call; other processes open it anew by its address."""

    def __init__(
        self,
        url: S3Url,
        encryption: Encryption | None = None,
        *,
        patience_s: float = PATIENCE_S,
        multipart_bytes: int = MULTIPART_BYTES,
    ) -> None:
        prefix_bytes = len(url.key.encode())
        if prefix_bytes + 1 + _LONGEST_KEY_BYTES > MAX_KEY_BYTES:
            raise SpecError(
                f"output.path: the prefix has {prefix_bytes} bytes; at most {MAX_KEY_BYTES - 1 - _LONGEST_KEY_BYTES} "
                f"leave room for a run's keys. Use a shorter one than {url.key[:60]!r}..."
            )
        if "\\" in url.key:
            raise SpecError(
                f"output.path: {url.key!r} has a backslash: some servers write objects below it and do not list them. "
                "Use / between the parts of a prefix."
            )
        self.url = url
        self._prefix = f"{url.key}/" if url.key else ""
        self._encryption = (encryption or Encryption()).arguments()
        self._multipart_bytes = multipart_bytes
        self._s3 = PatientS3(Patience(patience_s))

    def put(self, key: str, data: bytes) -> None:
        """Write or replace ``key``."""
        self._write(key, data, {})

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write ``key`` unless it exists; return whether this call wrote it."""
        return self._write(key, data, {"IfNoneMatch": "*"})

    def put_if_unchanged(self, key: str, data: bytes, tag: str) -> bool:
        """Replace the object that ``get_tagged`` returned with ``tag``; return False if it changed or is gone."""
        return self._write(key, data, {"IfMatch": tag})

    def get(self, key: str) -> bytes | None:
        """Return the object, or None if there is none; raise ``StoreError`` if it is larger than 2 GiB."""
        return self._get(key, self._s3.patience)

    def get_tagged(self, key: str) -> tuple[bytes, str] | None:
        """Return the object and its ETag, or None if there is none."""
        return self._s3.call(self.place(key), lambda client: self._read(client, key))

    def get_many(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the objects in the order of ``keys``; 16 threads read ahead."""
        patience = Patience(self._s3.patience.seconds)
        pool = ThreadPoolExecutor(READERS, thread_name_prefix="cotfaith-s3")
        ahead: deque[Future[bytes | None]] = deque()
        try:
            for key in keys:
                ahead.append(pool.submit(self._get, key, patience))
                if len(ahead) == 2 * READERS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            patience.end()
            pool.shutdown(wait=False, cancel_futures=True)

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, in order: servers list in orders of their own."""
        yield from sorted(self._keys(prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of what is one level below ``prefix`` and has objects, in order."""
        pages = self._pages(prefix, {"Delimiter": "/"})
        below = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        yield from sorted(whole.removeprefix(self._prefix + prefix).rstrip("/") for whole in below)

    def tagged_folders(self, prefix: str) -> Iterator[tuple[str, str | None]]:
        """Yield each of these names with a tag, from one list of the keys below ``prefix``."""
        found = defaultdict[str, list[str]](list)
        for key, etag in self._tagged_keys(prefix):
            name, below, rest = key.removeprefix(prefix).partition("/")
            if below:
                found[name].append(f"{rest} {etag}")
        for name, own in found.items():
            yield name, _digest(own)

    def folder_tag(self, prefix: str) -> tuple[str | None, tuple[str, ...]]:
        """Return the tag of one folder and the names of its objects in order, from one list."""
        found = sorted((key.removeprefix(prefix), etag) for key, etag in self._tagged_keys(prefix))
        return _digest(f"{name} {etag}" for name, etag in found), tuple(name for name, _ in found)

    def delete(self, key: str) -> None:
        """Remove the object; none is no error."""
        self._s3.call(self.place(key), lambda client: client.delete_object(**self._named(key)))

    def place(self, key: str) -> str:
        """Return the object's address, for messages."""
        return f"s3://{self.url.bucket}/{self._prefix}{key}"

    def first_keys(self, prefix: str = "") -> Sequence[str]:
        """Return up to 1,000 keys, after at most ten seconds of trying; raise if the bucket cannot be listed."""
        patience = Patience(min(FIRST_PATIENCE_S, self._s3.patience.seconds))
        return [key for key, _ in self._contents(self._page(prefix, {}, patience))]

    def _write(self, key: str, data: bytes, condition: Mapping[str, str]) -> bool:
        """Upload, and return whether the object is this call's."""
        named = {**self._named(key), **self._encryption}

        def once(client: Any) -> bool:
            done = upload(client, named, data, condition, self._multipart_bytes)
            return done or self._read_bytes(client, key) == data

        return self._s3.call(self.place(key), once)

    def _get(self, key: str, patience: Patience) -> bytes | None:
        return self._s3.call(self.place(key), lambda client: self._read_bytes(client, key), patience)

    def _read_bytes(self, client: Any, key: str) -> bytes | None:
        found = self._read(client, key)
        return None if found is None else found[0]

    def _read(self, client: Any, key: str) -> tuple[bytes, str] | None:
        from botocore.exceptions import ClientError

        try:
            response = client.get_object(**self._named(key))
        except ClientError as error:
            if code_of(error) in ("NoSuchKey", "404"):
                return None
            raise
        with closing(response["Body"]) as body:
            check_size(self.place(key), response.get("ContentLength", 0))
            return body.read(), response["ETag"]

    def _keys(self, prefix: str) -> Iterator[str]:
        return (key for key, _ in self._tagged_keys(prefix))

    def _tagged_keys(self, prefix: str) -> Iterator[tuple[str, str]]:
        for page in self._pages(prefix):
            yield from self._contents(page)

    def _pages(self, prefix: str, more: Mapping[str, str] | None = None) -> Iterator[Mapping[str, Any]]:
        found = self._page(prefix, more or {}, self._s3.patience)
        yield found
        while found["IsTruncated"]:
            asked = {**(more or {}), "ContinuationToken": found["NextContinuationToken"]}
            found = self._page(prefix, asked, self._s3.patience)
            yield found

    def _page(self, prefix: str, more: Mapping[str, str], patience: Patience) -> Mapping[str, Any]:
        """Return the server's answer on up to 1,000 keys."""
        asked = {"Bucket": self.url.bucket, "Prefix": self._prefix + prefix, "MaxKeys": _PAGE, **more}
        found: Mapping[str, Any] = self._s3.call(
            self.place(prefix), lambda client: client.list_objects_v2(**asked), patience
        )
        return found

    def _contents(self, page: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the keys of an answer, and their ETags. The marker of the prefix itself is left out."""
        for entry in page.get("Contents", []):
            if entry["Key"] != self._prefix:
                yield entry["Key"].removeprefix(self._prefix), entry["ETag"]

    def _named(self, key: str) -> dict[str, str]:
        whole = self._prefix + key
        if len(whole.encode()) > MAX_KEY_BYTES:
            raise SpecError(
                f"{self.place(key)}: a key has at most {MAX_KEY_BYTES:,} bytes, this one has {len(whole.encode()):,}. "
                "Use shorter names, or a shorter output.path."
            )
        return {"Bucket": self.url.bucket, "Key": whole}


def _digest(objects: Iterable[str]) -> str:
    """Return a digest of the names and ETags of some objects."""
    return hashlib.sha256("\n".join(sorted(objects)).encode()).hexdigest()[:_DIGEST]
