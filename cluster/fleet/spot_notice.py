"""A cloud's notice that this machine will be taken away, read from its metadata server. Knows nothing about Ray.

AWS: IMDSv2, ``spot/instance-action`` (two minutes ahead). A rebalance recommendation is reported and not acted on.
GCP: ``instance/preempted`` with ``wait_for_change`` (half a minute ahead).

Requests go to the given address only: proxies of the environment are not used, and redirects are not followed.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Protocol
from urllib.parse import urlsplit

from cotfaith.schemas.errors import MetadataError, SpecError

URLS = {"aws": "http://169.254.169.254", "gcp": "http://metadata.google.internal"}
TIMEOUT_S = 5.0
GCP_WAIT_S = 60
"""How long GCP's server holds a request without news."""
GCP_LEFT_S = 30.0
AWS_EVERY_S = 5.0
_TOKEN_S = 21_600
_MOST_BYTES = 65_536


@dataclass(frozen=True)
class Notice:
    """The machine will be taken away."""

    ends_s: float
    """When, in seconds since the epoch."""
    reason: str


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """A metadata server at an ``http://`` address."""

    url: str

    def __post_init__(self) -> None:
        """Check the address."""
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname or parts.username or parts.path.strip("/") or parts.query:
            raise SpecError(f"--metadata-url: got {self.url!r}, expected http://HOST or http://HOST:PORT.")

    def ask(self, method: str, path: str, headers: Mapping[str, str], wait_s: float = 0.0) -> Reply:
        """Return the answer to one request, which the server may hold for ``wait_s`` seconds.

        Raises:
            MetadataError: there was none, or it was not HTTP.

        """
        parts = urlsplit(self.url)
        assert parts.hostname is not None, "the address was checked"
        connection = HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S + wait_s)
        try:
            connection.request(method, path, headers=dict(headers))
            response = connection.getresponse()
            body = response.read(_MOST_BYTES).decode(errors="replace")
            return Reply(response.status, body, {name.lower(): value for name, value in response.getheaders()})
        except (OSError, HTTPException) as error:
            raise MetadataError(f"no answer from {self.url} ({type(error).__name__}: {error})") from error
        finally:
            connection.close()


class Source(Protocol):
    """A cloud's notices."""

    pause_s: float
    """Seconds between two questions."""

    def poll(self) -> Notice | None:
        """Return the notice, or None while there is none.

        Raises:
            MetadataError: the server gave no usable answer.

        """
        ...


@dataclass
class Aws:
    """Notices of EC2 spot instances."""

    server: Server
    say: Callable[[str], None]
    pause_s: float = AWS_EVERY_S
    _token: str | None = None
    _advised: bool = False

    def poll(self) -> Notice | None:
        """See ``Source``."""
        found = self._get("/latest/meta-data/spot/instance-action")
        if found is None:
            self._advise()
            return None
        try:
            said = json.loads(found)
            ends = datetime.fromisoformat(said["time"])
            return Notice(_utc(ends).timestamp(), f"AWS will {said['action']} this instance at {said['time']}")
        except (ValueError, KeyError, TypeError) as error:
            raise MetadataError(f"an instance action that cannot be read: {found[:200]!r}") from error

    def _advise(self) -> None:
        if not self._advised and self._get("/latest/meta-data/events/recommendations/rebalance") is not None:
            self._advised = True
            self.say("AWS recommends a rebalance: this instance may be taken away soon. Nothing is done yet.")

    def _get(self, path: str) -> str | None:
        """Return the value at a path, or None if it is not set."""
        if self._token is None:
            self._token = self._new_token()
        reply = self.server.ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
        if reply.status == 200:
            return reply.body
        if reply.status == 401:
            self._token = None  # it has expired
        if reply.status != 404:
            raise MetadataError(f"{self.server.url}{path} answered {reply.status}")
        return None

    def _new_token(self) -> str:
        reply = self.server.ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_S)})
        if reply.status != 200 or not reply.body.isprintable():
            raise MetadataError(f"{self.server.url} gave no IMDSv2 token (status {reply.status})")
        return reply.body


@dataclass
class Gcp:
    """Notices of GCP spot VMs."""

    server: Server
    pause_s: float = 1.0
    _etag: str | None = field(default=None)

    def poll(self) -> Notice | None:
        """See ``Source``. The first question is answered at once, later ones when there is news."""
        path, wait_s = "/computeMetadata/v1/instance/preempted", 0
        if self._etag is not None:
            path += f"?wait_for_change=true&timeout_sec={GCP_WAIT_S}&last_etag={self._etag}"
            wait_s = GCP_WAIT_S
        etag, self._etag = self._etag, None  # after an error, the next question is answered at once
        reply = self.server.ask("GET", path, {"Metadata-Flavor": "Google"}, wait_s)
        if reply.status != 200 or reply.headers.get("metadata-flavor") != "Google":
            raise MetadataError(f"{self.server.url} answered {reply.status}, and not as GCP's metadata server")
        found = reply.headers.get("etag", etag)
        self._etag = found if found is not None and found.isalnum() else None
        return Notice(time.time() + GCP_LEFT_S, "GCP preempts this VM") if reply.body.strip() == "TRUE" else None


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def source(cloud: str, url: str | None, say: Callable[[str], None]) -> Source:
    """Return the notices of ``cloud``: aws or gcp; ``url`` replaces its metadata server's address."""
    if cloud not in URLS:
        raise SpecError(f"--cloud: got {cloud!r}, expected one of: {', '.join(URLS)}.")
    server = Server((url or URLS[cloud]).rstrip("/"))
    return Aws(server, say) if cloud == "aws" else Gcp(server)


def wait_for_notice(notices: Source, say: Callable[[str], None]) -> Notice:
    """Ask until there is a notice. Trouble with the server is said once, until it answers again."""
    trouble = ""
    while True:
        try:
            notice = notices.poll()
        except MetadataError as error:
            if str(error) != trouble:
                trouble = str(error)
                say(f"The metadata server: {error}. Trying again.")
        else:
            trouble = ""
            if notice is not None:
                return notice
        time.sleep(notices.pause_s)
