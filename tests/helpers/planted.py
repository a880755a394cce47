"""Planted secrets, and the search for them in texts and in files of every kind."""

import base64
import io
import zipfile
from urllib.parse import quote

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

PLANTED = {
    "OPENAI_API_KEY": "sk-planted-openai-0a1b2c",
    "TEST_SERVER_KEY": "sk-planted-server-3d4e5f",
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED6A7B8C9D0",
    "AWS_SECRET_ACCESS_KEY": "planted/aws+secret/1e2f3a4b",
    "AWS_SESSION_TOKEN": "planted-session-token-5c6d",
    "HF_TOKEN": "hf_plantedtoken7e8f9a",
    "RAY_AUTH_TOKEN": "planted-ray-token-0b1c2d",
}
PASSWORD = "planted-password-3e4f5a"
"""In addresses."""
SECRETS = [*PLANTED.values(), PASSWORD]
LEAKY = " ".join(
    [
        *PLANTED.values(),
        f"https://user:{PASSWORD}@host/x",
        f"https://bucket.s3.amazonaws.com/x?n=1&X-Amz-Signature={PASSWORD}",
        "Basic " + base64.b64encode(PLANTED["AWS_SECRET_ACCESS_KEY"].encode()).decode(),
        quote(PLANTED["AWS_SECRET_ACCESS_KEY"], safe=""),
    ]
)
"""What a library could say that tells all it knows."""


def forms(secret):
    """A secret as it can be written: plain, in a URL, in base64 (of HTTP's basic and bearer headers)."""
    yield from (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("="))


def found_in(text):
    """Return the secrets that a text holds."""
    return [secret for secret in SECRETS if any(form in text for form in forms(secret))]


def texts(data):
    """Yield the texts in a file's bytes: as they are, and unpacked from Parquet, Arrow and zip files."""
    yield data.decode("utf-8", "replace")
    if data[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(data))
        yield f"{table.schema} {table.schema.metadata} {table.to_pylist()}"
    elif data[:6] == b"ARROW1":
        yield str(pa.ipc.open_file(pa.BufferReader(data)).read_all().to_pylist())
    elif zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from texts(archive.read(name))


def leaks_of(folder):
    """Return file -> the secrets that it holds, of the files below a folder that hold any."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path: {one for text in texts(path.read_bytes()) for one in found_in(text)} for path in files}
    return {path: secrets for path, secrets in found.items() if secrets}
