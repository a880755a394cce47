"""The only place that makes an S3 client.

Endpoint, region, credentials and profile come by the standard AWS means only: environment, ~/.aws files, instance
roles. Each client reads them anew.
"""

import os
from typing import Any
from urllib.parse import urlsplit

from cotfaith.schemas.errors import SpecError

CONNECTIONS = 32
"""The most simultaneous connections of one client."""
_ATTEMPTS = 4
_CONNECT_S = 5
_READ_S = 30


def s3_client() -> Any:
    """Return a boto3 client, which may be used from many threads. Nothing is sent.

    Raises:
        SpecError: the profile or the endpoint of the environment cannot be used.

    """
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        client = _client(boto3.session.Session())
    except (BotoCoreError, ValueError) as error:
        raise SpecError(
            f"The AWS settings cannot be used: {_without_urls(error)} Fix the environment or ~/.aws."
        ) from None
    _check_endpoint(client.meta.endpoint_url)
    return client


def _client(session: Any) -> Any:
    from botocore.config import Config

    config = Config(
        retries={"mode": _retry_mode(session), "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
    )
    return session.client("s3", config=config)


def _retry_mode(session: Any) -> str:
    """Return the mode that the user set; adaptive by default: it slows down while a server says that it must."""
    chosen = os.environ.get("AWS_RETRY_MODE") or session._session.get_scoped_config().get("retry_mode")
    return chosen or "adaptive"


def _check_endpoint(url: str) -> None:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.query:
        raise SpecError(
            "The S3 endpoint (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or endpoint_url in ~/.aws/config) holds a user, a "
            "password or a query (not shown here). Give scheme, host and port only, and credentials as AWS tools do."
        )


def _without_urls(error: Exception) -> str:
    """Return the error's text, unless it quotes an address, which could hold a password."""
    text = str(error)
    return "an endpoint is no valid address (not shown here)." if "://" in text or "@" in text else f"{text}."
