"""One upload to S3: under a condition in one request, else in parts if it is large.

Conditions are never put on uploads in parts: SeaweedFS 4.48 lets several racing ones win (17 of 40 races of six), and
one request carries 5 GiB. Parts of an upload that does not end are removed. Knows nothing about tries: the caller may
upload again.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cotfaith.workers.remote.s3_errors import code_of, status_of

_PART_BYTES = 16 * 1024**2
_MOST_PARTS = 10_000
_PRECONDITION_FAILED = 412


def upload(
    client: Any, named: Mapping[str, str], data: bytes, condition: Mapping[str, str], multipart_bytes: int
) -> bool:
    """Write ``data``; return False if the condition did not hold.

    Without a condition, more than ``multipart_bytes`` go in parts.
    ``named`` is bucket, key and encryption; ``condition`` is empty, ``IfNoneMatch`` or ``IfMatch``. It can fail to hold
    because of another writer, or of an earlier try of this one whose answer was lost.

    Raises:
        botocore.exceptions.ClientError: any other answer.

    """
    from botocore.exceptions import ClientError

    if not condition and len(data) > multipart_bytes:
        _upload_parts(client, named, data)
        return True
    try:
        client.put_object(**named, **condition, Body=data)
    except ClientError as error:
        if status_of(error) == _PRECONDITION_FAILED or (condition and code_of(error) in ("NoSuchKey", "404")):
            return False
        raise
    return True


def _upload_parts(client: Any, named: Mapping[str, str], data: bytes) -> None:
    begun = client.create_multipart_upload(**named)
    this = {"Bucket": named["Bucket"], "Key": named["Key"], "UploadId": begun["UploadId"]}
    try:
        parts = _send_parts(client, this, data)
        client.complete_multipart_upload(**this, MultipartUpload={"Parts": parts})
    except BaseException:
        with suppress(Exception):
            client.abort_multipart_upload(**this)
        raise


def _send_parts(client: Any, this: Mapping[str, str], data: bytes) -> list[dict[str, Any]]:
    size = max(_PART_BYTES, -(-len(data) // _MOST_PARTS))
    view = memoryview(data)
    parts = []
    for number, start in enumerate(range(0, len(data), size), 1):
        sent = client.upload_part(**this, PartNumber=number, Body=bytes(view[start : start + size]))
        checksums = {name: value for name, value in sent.items() if name.startswith("Checksum")}
        parts.append({"PartNumber": number, "ETag": sent["ETag"], **checksums})
    return parts
