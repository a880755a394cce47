"""An address in object storage: ``s3://bucket/key``.

In: the text that a user wrote. Out: bucket and key, or ``SpecError``. A text that may hold a password or a signature is
refused without being shown.
"""

import re
from dataclasses import dataclass

from cotfaith.schemas.errors import SpecError

SCHEME = "s3://"
MAX_KEY_BYTES = 1024
"""The longest key in S3, in UTF-8."""
_BUCKET = re.compile(r"(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


@dataclass(frozen=True)
class S3Url:
    """A bucket, and a key or prefix without slashes around it; empty: the whole bucket."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}" if self.key else f"{SCHEME}{self.bucket}"


def is_s3(path: str) -> bool:
    """Return whether ``path`` is meant as an address in object storage, well written or not."""
    return path[:3].lower() == "s3:"


def parse_s3_url(url: str, what: str) -> S3Url:
    """Read ``url``; ``what`` names it in errors.

    Raises:
        SpecError: it holds credentials, or cannot be an address.

    """
    if not url.startswith(SCHEME):
        raise SpecError(
            f"{what}: an address in object storage begins with s3:// (lower case, two slashes) and a bucket's name. "
            "Write s3://bucket/prefix."
        )
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    _check_no_secret(bucket, key, what)
    if not _BUCKET.fullmatch(bucket):
        raise SpecError(
            f"{what}: {bucket!r} cannot be a bucket's name: expected 3 to 63 lower-case letters, digits, '.' or '-'. "
            "Write s3://bucket/prefix."
        )
    key = key.strip("/")
    _check_key(key, what)
    return S3Url(bucket, key)


def _check_no_secret(bucket: str, key: str, what: str) -> None:
    if "@" in bucket or ":" in bucket:
        raise SpecError(
            f"{what}: the address holds a user or a password (not shown here). Write s3://bucket/prefix, and give "
            "credentials as AWS tools do: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile."
        )
    if "?" in bucket + key or "#" in bucket + key:
        raise SpecError(
            f"{what}: the address has a query or a fragment (not shown here: it may be a signature). Write "
            "s3://bucket/prefix, and give credentials as AWS tools do."
        )


def _check_key(key: str, what: str) -> None:
    if len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES:
        raise SpecError(f"{what}: the key has more than {MAX_KEY_BYTES:,} bytes: {key[:80]!r}... Use a shorter one.")
    if any(part in ("", ".", "..") for part in key.split("/")) and key:
        raise SpecError(f"{what}: {key!r} has an empty part, '.' or '..' between its slashes. Leave them out.")
    if not key.isprintable():
        raise SpecError(f"{what}: {key!r} has control characters. Leave them out.")
