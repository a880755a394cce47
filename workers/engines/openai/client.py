"""HTTP to an OpenAI-compatible server: JSON in, JSON out, with retries.

Every failure is an ``EngineError`` or a subclass, with the server's own message, shortened, and never with the key.
Knows nothing about tokens.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import sleep, time
from typing import Any

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cotfaith.schemas.errors import (
    ContextOverflowError,
    EngineError,
    RefusedError,
    ServerBusyError,
    UnauthorizedError,
    UnreachableError,
)

LONGEST_WAIT_S = 60.0
_BACKOFF = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_S)  # random: clients must not retry together
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""The statuses that a retry may change."""
_OVERFLOW = re.compile(
    r"context.{0,3}(length|window|size)|max_model_len|maximum (model|input) length|too many tokens", re.I
)
_SPENT = re.compile(r"insufficient_quota|credit balance is too low", re.I)
"""What a host says with 429 when no waiting helps."""
_MOST_LETTERS = 300


class Client:
    """A client of one server. It is thread-safe."""

    def __init__(self, base_url: str, key: str | None, timeout_s: float, max_retries: int, connections: int) -> None:
        self.base_url = base_url
        self._key = key
        self._retries = max_retries
        self._http = httpx2.Client(
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=timeout_s,
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON at ``path``."""
        return self._call("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to ``body``."""
        return self._call("POST", path, body)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        retrying = Retrying(
            stop=stop_after_attempt(self._retries + 1),
            wait=_wait,
            retry=retry_if_exception_type(ServerBusyError),
            sleep=sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, method, path, body)
        except ServerBusyError as error:
            tries = f" ({self._retries + 1} tries)" if self._retries else ""
            raise UnreachableError(f"{self.base_url}{path}: {error}{tries}") from None

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            response = self._http.request(method, self.base_url + path, json=body)
        except httpx2.TransportError as error:
            raise ServerBusyError(self._clean(f"no answer: {type(error).__name__}: {error}")) from None
        if response.status_code in _PASSING and not _SPENT.search(response.text):
            busy = ServerBusyError(self._words(response))
            busy.wait_s = _retry_after(response)
            raise busy
        if response.is_success:
            return self._json(response)
        raise self._refusal(path, response)

    def _json(self, response: httpx2.Response) -> dict[str, Any]:
        try:
            data = response.json()
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise RefusedError(self._clean(f"Expected a JSON object from {response.url}, got {response.text!r}"))
        if data.get("error") and not data.get("choices"):
            raise self._error_inside(data["error"], response)
        return data

    def _error_inside(self, error: Any, response: httpx2.Response) -> EngineError:
        """Return the error that some hosts send with status 200, when their own provider failed."""
        code = error.get("code") if isinstance(error, dict) else None
        text = self._words(response)
        if code in _PASSING:
            return ServerBusyError(text)
        return ContextOverflowError(text) if _OVERFLOW.search(text) else RefusedError(text)

    def _refusal(self, path: str, response: httpx2.Response) -> EngineError:
        text = f"{self.base_url}{path}: {self._words(response)}"
        if response.status_code in (401, 403):
            return UnauthorizedError(text)
        if response.status_code in (400, 413, 422) and _OVERFLOW.search(response.text):
            return ContextOverflowError(text)
        return RefusedError(text)

    def _words(self, response: httpx2.Response) -> str:
        """Return the status and the message, in whichever field the server put it."""
        try:
            data = response.json()
        except ValueError:
            data = response.text
        for name in ("error", "message", "detail"):
            data = data.get(name, data) if isinstance(data, dict) else data
        return self._clean(f"HTTP {response.status_code}: {data}")

    def _clean(self, text: str) -> str:
        if self._key is not None:
            text = text.replace(self._key, "[key]")
        shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return shown if len(shown) <= _MOST_LETTERS else shown[: _MOST_LETTERS - 3] + "..."


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    stated = error.wait_s if isinstance(error, ServerBusyError) else None
    return _BACKOFF(state) if stated is None else min(stated, LONGEST_WAIT_S)


def _retry_after(response: httpx2.Response) -> float | None:
    """Return the seconds that the server asks to wait; the header has seconds or a date."""
    value = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None
