"""What an error of the S3 client means: whether another try can succeed, and what the user can do.

In: an exception of boto3. Out: a ``Trouble``, or one of our errors. Texts hold codes, names and addresses, never keys,
tokens or signed URLs.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from cotfaith.schemas.errors import CotfaithError, SpecError, StoreError


class Trouble(Enum):
    """Whether another try can succeed."""

    BUSY = "busy"
    """The server is down, slow or overloaded, or a connection broke: wait."""
    EXPIRED = "expired"
    """The credentials ran out: read them anew, and wait until there are new ones."""
    REJECTED = "rejected"
    """The server does not know the key: it may have been exchanged, so read the credentials anew, once."""
    FINAL = "final"
    """The answer will be the same again."""


_BUSY_CODES = {
    "BadDigest", "BandwidthLimitExceeded", "ConditionalRequestConflict", "IncompleteBody", "InternalError",
    "NoSuchUpload", "OperationAborted", "PriorRequestNotComplete", "RequestTimeTooSkewed", "RequestTimeout",
    "RequestTimeoutException", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException",
    "TooManyRequestsException", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch",
}  # fmt: skip
_EXPIRED_CODES = {
    "ExpiredToken", "ExpiredTokenException", "InvalidToken", "RequestExpired", "TokenRefreshRequired",
}  # fmt: skip
_REJECTED_CODES = {"InvalidAccessKeyId", "InvalidClientTokenId", "SignatureDoesNotMatch"}
_ELSEWHERE_CODES = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_DENIED_CODES = {"AccessDenied", "AccessDeniedException", "AccountProblem", "AllAccessDisabled", "Forbidden", "403"}
_EXPIRED_NAMES = {
    "CredentialRetrievalError", "MetadataRetrievalError", "SSOTokenLoadError", "TokenRetrievalError",
    "UnauthorizedSSOTokenError", "LoginRefreshRequired", "LoginTokenLoadError",
}  # fmt: skip
_FINAL_NAMES = {
    "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "ConfigParseError", "InvalidRegionError",
    "ParamValidationError", "EndpointProviderError", "EndpointResolutionError", "SSLError",
}  # fmt: skip
_WORDS = {
    "ConnectTimeoutError": "no connection in time",
    "ConnectionClosedError": "the connection was closed",
    "EndpointConnectionError": "no connection",
    "IncompleteRead": "the connection broke",
    "IncompleteReadError": "the connection broke",
    "ReadTimeoutError": "no answer in time",
    "ResponseStreamingError": "the connection broke",
}
"""What the client's names for lost connections mean."""
_REDIRECTS = (301, 307)
_TOO_MANY = 429
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501


def code_of(error: Exception) -> str:
    """Return the server's error code, such as NoSuchKey or 404, or an empty text if no server answered."""
    return str(_response(error).get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """Return the HTTP status, or 0 if no server answered."""
    return int(_response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def trouble_of(error: Exception) -> Trouble:
    """Return whether another try can succeed after ``error``."""
    code, status, name = code_of(error), status_of(error), type(error).__name__
    if code in _EXPIRED_CODES or name in _EXPIRED_NAMES:
        return Trouble.EXPIRED
    if code in _REJECTED_CODES:
        return Trouble.REJECTED
    if name in _FINAL_NAMES:
        return Trouble.FINAL
    answered = bool(code or status)
    is_busy = code in _BUSY_CODES or status == _TOO_MANY or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED)
    return Trouble.BUSY if is_busy or not answered else Trouble.FINAL


def explained(error: Exception, place: str, client: Any, waited_s: float = 0) -> CotfaithError:
    """Return our error for ``error``, which an operation on ``place`` ended with.

    Returns:
        A ``SpecError`` if the user can fix it, else a ``StoreError``.

    """
    code, name = code_of(error), type(error).__name__
    said = f"{code or _WORDS.get(name, name)}{_message(error)}"
    if name in ("NoCredentialsError", "PartialCredentialsError"):
        return SpecError(
            f"{place}: there are no complete AWS credentials on this machine. Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
        )
    if code == "NoSuchBucket":
        return SpecError(f"{place}: there is no such bucket at {_endpoint(client)}. Create it, or fix the name.")
    if code in _REJECTED_CODES:
        return SpecError(
            f"{place}: {_endpoint(client)} does not accept the AWS credentials ({code}). Check AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or the profile."
        )
    if code in _ELSEWHERE_CODES or status_of(error) in _REDIRECTS:
        return SpecError(f"{place}: {_elsewhere(error, client)}")
    if code in _DENIED_CODES:
        return SpecError(
            f"{place}: the AWS credentials may not do this ({said}). A run needs s3:ListBucket on the bucket, and "
            "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its objects."
        )
    if code.startswith("KMS."):
        return SpecError(f"{place}: the encryption key cannot be used ({said}). Fix output.sse_kms_key.")
    if name == "SSLError":
        return SpecError(
            f"{place}: no encrypted connection to {_endpoint(client)} could be made. If the server speaks plain HTTP, "
            "begin the endpoint with http://; if its certificate is your own, set AWS_CA_BUNDLE."
        )
    if name in _FINAL_NAMES:
        return SpecError(f"{place}: the AWS settings cannot be used ({said}). Fix the environment or ~/.aws.")
    return StoreError(f"{place}: {_failed(error, said, client)} after {waited_s:.0f} s of trying. {_way_out(error)}")


def _failed(error: Exception, said: str, client: Any) -> str:
    if trouble_of(error) is Trouble.EXPIRED:
        return f"the AWS credentials have expired, and no new ones came ({said})"
    if not status_of(error):
        return f"{_endpoint(client)} gave no whole answer ({said})"
    return f"{_endpoint(client)} answered {said} (HTTP {status_of(error)})"


def _way_out(error: Exception) -> str:
    if trouble_of(error) is Trouble.EXPIRED:
        return "Sign in again; then run again: finished work is kept."
    if trouble_of(error) is Trouble.BUSY:
        return "Check the server; then run again: finished work is kept."
    return "Run cotfaith check-store on this address to see what the store can do."


def _elsewhere(error: Exception, client: Any) -> str:
    response = _response(error)
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or response.get("Error", {}).get("Region")
    place = f"in the region {region}" if region else "in another region"
    return (
        f"the bucket is {place}; {client.meta.region_name} was asked. Set AWS_REGION"
        f"{f'={region}' if region else ' to its region'}."
    )


def _message(error: Exception) -> str:
    """Return what the server said, in brackets; exceptions of the client itself may quote addresses, so only names."""
    message = _response(error).get("Error", {}).get("Message", "")
    return f": {message}" if message else ""


def _endpoint(client: Any) -> str:
    return str(client.meta.endpoint_url)


def _response(error: Exception) -> Mapping[str, Any]:
    found = getattr(error, "response", None)
    return found if isinstance(found, Mapping) else {}
