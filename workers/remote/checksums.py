"""Checksums of a file, and whether a server's answer about an object agrees with them.

A server may give an MD5 (an ETag of one part, without KMS), a SHA-256 or a CRC-32 of the whole object.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MD5 = re.compile(r"[0-9a-f]{32}")
_CHUNK = 8 << 20  # bytes read at a time


@dataclass(frozen=True)
class Sums:
    """Checksums of a file."""

    size: int
    md5: str
    sha256: str
    crc32: int


def sums_of(path: Path) -> Sums:
    """Return the checksums of a file, which is read once."""
    md5, sha256, crc32, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
            crc32, size = zlib.crc32(chunk, crc32), size + len(chunk)
    return Sums(size, md5.hexdigest(), sha256.hexdigest(), crc32)


def is_md5(etag: str) -> bool:
    """Return whether an ETag can be the MD5 of its object; with several parts it is not."""
    return _MD5.fullmatch(etag) is not None


def agreements(head: Mapping[str, Any], sums: Sums) -> Iterator[bool]:
    """Yield for each checksum of the whole object in a HEAD's answer whether the file has it."""
    if is_md5(bare(head["ETag"])) and head.get("ServerSideEncryption", "AES256") == "AES256":
        yield bare(head["ETag"]) == sums.md5
    if head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        own = {"ChecksumSHA256": bytes.fromhex(sums.sha256), "ChecksumCRC32": sums.crc32.to_bytes(4, "big")}
        for name, value in own.items():
            if name in head and "-" not in head[name]:
                yield head[name] == base64.b64encode(value).decode()


def bare(etag: str) -> str:
    """Return an ETag without its quotes."""
    return etag.strip('"')
