"""A text that names a file or folder -> its address in object storage or on the hub, or None if it is a local path.

``s3://bucket/key`` and, as huggingface_hub writes it, ``hf://datasets/owner/name[@revision][/path]``. Other schemes are
refused, and so are addresses that contain credentials; those are never printed. Asks no server.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from cotfaith.schemas.errors import SpecError
from cotfaith.workers.remote.s3_url import S3Url, is_s3, parse_s3_url

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_DATASET = re.compile(
    r"datasets/(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?(?:/(?P<path>.*))?"
)
FILES = "a local path, s3://bucket/key or hf://datasets/owner/name/file"
FOLDERS = "a folder, s3://bucket/prefix, or a hub id (owner/name)"


@dataclass(frozen=True)
class HubAddress:
    """A file of a dataset on the hub, or the whole dataset."""

    repo: str
    """owner/name."""
    revision: str | None
    path: str
    """Empty for the whole dataset."""

    def __str__(self) -> str:
        at = f"@{self.revision}" if self.revision else ""
        return f"hf://datasets/{self.repo}{at}{'/' if self.path else ''}{self.path}"


def is_address(text: str) -> bool:
    """Return whether ``text`` names something that is elsewhere, well written or not."""
    return is_s3(text) or _SCHEME.match(text) is not None


def parse_address(text: str, origin: str, supported: str = FILES) -> S3Url | HubAddress | None:
    """Return where ``text`` points, or None if it is a local path; ``origin`` begins the messages.

    ``supported`` says what to use in place of an address of another kind.

    Raises:
        SpecError: the scheme is not supported, the address holds credentials, or no such name can exist.

    """
    if is_s3(text):
        return parse_s3_url(text, origin)
    found = _SCHEME.match(text)
    if found is None:
        return None
    scheme, rest = found[1].lower(), text[found.end() :]
    _refuse_credentials(origin, scheme, rest.partition("/")[0])
    if scheme != "hf":
        raise SpecError(f"{origin}: {scheme}:// addresses are not supported. Use {supported}.")
    return _hub(rest.rstrip("/"), origin)


def _refuse_credentials(origin: str, scheme: str, host: str) -> None:
    if scheme == "hf" and ("@" in host or ":" in host):
        raise SpecError(
            f"{origin}: the hf:// address holds a user or a token (not shown here). Write hf://datasets/owner/name, "
            "and set HF_TOKEN."
        )


def _hub(rest: str, origin: str) -> HubAddress:
    found = _DATASET.fullmatch(rest)
    path = (found["path"] or "") if found else ""
    if found is None or any(part in ("", ".", "..") for part in path.split("/") if path):
        raise SpecError(
            f"{origin}: got {'hf://' + rest!r}; expected hf://datasets/owner/name/path/to/file, or "
            "hf://datasets/owner/name with a split. A revision goes behind the name: owner/name@revision."
        )
    return HubAddress(found["repo"], unquote(found["revision"]) if found["revision"] else None, path)
