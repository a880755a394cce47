"""An HTTP proxy on loopback before a server, which disturbs a share of the calls, by seeded draws.

Requests pass unchanged, ``Host`` too, so that signatures hold. Bodies are streamed; connections are kept alive. It can
also refuse all connections for a while, and answer that credentials have expired until it is told otherwise.
"""

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress

FAULTS = ("500", "SlowDown", "close_before", "close_after", "half_body", "delay")
"""500 and 503 without asking the server; the connection closed before the server is asked, or after it did the work;
half of the answer's body; an answer that is late.
"""
_CHUNK = 64 * 1024
_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}
_UPSTREAM_S = 60


class FaultyProxy:
    """Forwards to ``port`` of loopback; ``share`` of the calls get one of ``faults``. Attributes may be changed."""

    def __init__(self, port, *, share=0.0, seed=0, faults=FAULTS, delay_s=0.3):
        self.target, self.share, self.faults, self.delay_s = port, share, faults, delay_s
        self.calls, self.done = Counter(), Counter()
        self.chosen = []
        """Faults for the next calls, before any draw."""
        self.expired = set()
        """Access keys that are answered with ExpiredToken; "*": all."""
        self._draws, self._lock = random.Random(seed), threading.Lock()
        self._open = set()
        self._listener = _listening(0)
        self.port = self._listener.getsockname()[1]
        self._serve()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def refuse(self):
        """Close all connections, and refuse new ones until ``accept``."""
        listener, self._listener = self._listener, None
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            _reset(connection)

    def accept(self):
        self._listener = _listening(self.port)
        self._serve()

    def close(self):
        if self._listener is not None:
            self.refuse()

    def _serve(self):
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection):
        with suppress(OSError, http.client.HTTPException, ValueError), connection, connection.makefile("rb") as file:
            while self._call(connection, file):
                pass
        with self._lock:
            self._open.discard(connection)

    def _call(self, connection, file):
        """Pass one call on; return whether the connection stays."""
        line = file.readline().decode("latin-1").split()
        if len(line) != 3:
            return False
        method, path, _ = line
        headers = http.client.parse_headers(file)
        fault = self._fault(method, headers)
        if headers.get("Expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(headers.get("Content-Length", 0))
        if fault in _ANSWERS:
            _skip(file, length)
            connection.sendall(_answer(method, *_ANSWERS[fault]))
            return True
        if fault == "close_before":
            _skip(file, length // 2)
            _reset(connection)
            return False
        with closing(http.client.HTTPConnection("127.0.0.1", self.target, timeout=_UPSTREAM_S)) as upstream:
            _send(upstream, method, path, headers, _chunks(file, length))
            response = upstream.getresponse()
            if fault == "delay":
                time.sleep(self.delay_s)
            if fault == "close_after":
                response.read()
                _reset(connection)
                return False
            return _pass_back(connection, method, response, halved=fault == "half_body")

    def _fault(self, method, headers):
        key = headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        with self._lock:
            self.calls[method] += 1
            if key in self.expired or "*" in self.expired:
                found = "ExpiredToken"
            elif self.chosen:
                found = self.chosen.pop(0)
            else:
                found = self._draws.choice(self.faults) if self._draws.random() < self.share else None
            if found:
                self.done[found] += 1
            return found


@contextmanager
def faulty_proxy(port, **settings):
    proxy = FaultyProxy(port, **settings)
    try:
        yield proxy
    finally:
        proxy.close()


_ANSWERS = {
    "500": (500, "InternalError"),
    "SlowDown": (503, "SlowDown"),
    "ExpiredToken": (400, "ExpiredToken"),
    "conflict": (409, "ConditionalRequestConflict"),
    "denied": (403, "AccessDenied"),
}


def _answer(method, status, code):
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by the test's proxy</Message></Error>".encode()
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + (b"" if method == "HEAD" else body)


def _send(upstream, method, path, headers, body):
    upstream.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        if name.lower() not in _HOP:
            upstream.putheader(name, value)
    upstream.endheaders()
    for chunk in body:
        upstream.send(chunk)


def _pass_back(connection, method, response, halved):
    """Send the answer; return whether all of it was sent. A body of unknown length is gathered first."""
    known = response.getheader("Content-Length")
    body = None if known is not None or method == "HEAD" else response.read()
    length = int(known) if known is not None else len(body or b"")
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{n}: {v}" for n, v in response.getheaders() if n.lower() not in _HOP | {"content-length"}]
    if response.status not in (204, 304):
        lines.append(f"Content-Length: {length}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    if method == "HEAD":
        response.read()
        return True
    wanted = length // 2 if halved and length else length
    parts = [body] if body is not None else _chunks(response, length)
    for part in parts:
        connection.sendall(part[: max(0, wanted)])
        wanted -= len(part)
    return not (halved and length)


def _chunks(file, length):
    while length > 0:
        part = file.read(min(_CHUNK, length))
        if not part:
            raise ConnectionError("the other side closed")
        length -= len(part)
        yield part


def _skip(file, length):
    for _ in _chunks(file, length):
        pass


def _reset(connection):
    """Close so that the other side sees a reset, not an end."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _listening(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener
