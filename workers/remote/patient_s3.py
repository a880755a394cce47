"""Calls to S3 that outlast a server's restart, lost connections and expired credentials.

The SDK tries a call a few times within seconds. Around that, this tries again with growing, random pauses, for up to
``patience_s`` in all. What can never succeed is not tried again. Knows nothing about what the calls do.
"""

import random
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, TypeVar

from cotfaith.workers.remote.s3_client import s3_client
from cotfaith.workers.remote.s3_errors import Trouble, explained, trouble_of

PATIENCE_S = 180.0
"""The longest wait for a store that does not answer, in seconds."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 8.0
T = TypeVar("T")


class Patience:
    """How long one caller waits, and whether it still wants the answer."""

    def __init__(self, seconds: float = PATIENCE_S) -> None:
        self.seconds = seconds
        self._ended = threading.Event()

    def end(self) -> None:
        """Let all calls that wait fail now."""
        self._ended.set()

    def pause(self, attempt: int, started: float) -> bool:
        """Sleep before the next try; return False if there is no time left for one."""
        left_s = started + self.seconds - time.monotonic()
        longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
        return left_s > 0 and not self._ended.wait(min(left_s, random.uniform(longest_s / 4, longest_s)))


class PatientS3:
    """An S3 client that is made at the first call, and anew when its credentials have expired."""

    def __init__(self, patience: Patience | None = None, make: Callable[[], Any] = s3_client) -> None:
        self.patience = patience or Patience()
        self._make = make
        self._lock = threading.Lock()
        self._client: Any = None

    def call(self, place: str, action: Callable[[Any], T], patience: Patience | None = None) -> T:
        """Return ``action(client)``; it may be called several times. ``place`` names the object in errors.

        Errors of botocore that ``action`` handles itself never get here.

        Raises:
            SpecError: the user can fix it: credentials, bucket, region, permissions.
            StoreError: the store failed until the patience ended, or in a way that cannot change.

        """
        from botocore.exceptions import BotoCoreError, ClientError

        patience, started, was_rejected, attempt = patience or self.patience, time.monotonic(), False, 0
        while True:
            client = self._current()
            try:
                return action(client)
            except (BotoCoreError, ClientError, HTTPException, OSError) as error:
                trouble = trouble_of(error)
                hopeless = trouble is Trouble.FINAL or (trouble is Trouble.REJECTED and was_rejected)
                if hopeless or not patience.pause(attempt, started):
                    raise explained(error, place, client, time.monotonic() - started) from None
                was_rejected = trouble is Trouble.REJECTED
                if trouble is not Trouble.BUSY:
                    self._renew(client)
                attempt += 1

    def _current(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def _renew(self, old: Any) -> None:
        """Forget ``old``, unless another thread did so before."""
        with self._lock:
            if self._client is old:
                self._client = None
