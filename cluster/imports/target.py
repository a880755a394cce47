"""The file that ``cotfaith import`` writes: a path of this machine, or an object in S3.

In: the text of ``--out``, and whether an existing file may be replaced. Nothing is written before ``write``.
"""

from pathlib import Path, PurePosixPath

from cotfaith.cluster.storage.s3 import S3Store
from cotfaith.schemas.errors import SpecError
from cotfaith.workers.remote.address import parse_address
from cotfaith.workers.remote.s3_url import S3Url

_ENDINGS = (".jsonl", ".ndjson")


class Target:
    """A place for one file, which was free when this was made.

    Raises:
        SpecError: the name has another ending, the file exists, or the bucket cannot be used.
        StoreError: the server gives no answer.

    """

    def __init__(self, text: str, replace: bool = False) -> None:
        address = parse_address(text, "--out", "a local path or s3://bucket/key")
        self.text = str(Path(text)) if address is None else str(address)
        self._replace = replace
        self._object = _Object(address) if isinstance(address, S3Url) else None
        if address is not None and self._object is None:
            raise SpecError("--out: chains cannot be written to the hub. Use a local path or s3://bucket/key.")
        if not self.text.endswith(_ENDINGS):
            raise SpecError(f"--out {self.text}: expected a file that ends in .jsonl.")
        if not replace and self._exists():
            raise self._taken()

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return PurePosixPath(self.text).stem

    def write(self, text: str) -> None:
        """Write the file, whole or not at all; raise ``SpecError`` if that is not possible."""
        if self._object is None:
            self._write_here(Path(self.text), text)
        elif not self._object.write(text.encode(), self._replace):
            raise self._taken()

    def _exists(self) -> bool:
        return Path(self.text).exists() if self._object is None else self._object.exists()

    def _taken(self) -> SpecError:
        return SpecError(f"--out {self.text}: this file exists. Name another, or add --replace.")

    def _write_here(self, path: Path, text: str) -> None:
        aside = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(text, encoding="utf-8")
            aside.replace(path)
        except OSError as error:
            raise SpecError(f"--out {path}: this cannot be written: {error.strerror}. Name another file.") from error


class _Object:
    """One object of a bucket."""

    def __init__(self, url: S3Url) -> None:
        folder, _, self._name = url.key.rpartition("/")
        self._store = S3Store(S3Url(url.bucket, folder))

    def exists(self) -> bool:
        return self._name in self._store.first_keys(self._name)

    def write(self, data: bytes, replace: bool) -> bool:
        if not replace:
            return self._store.put_if_absent(self._name, data)
        self._store.put(self._name, data)
        return True
