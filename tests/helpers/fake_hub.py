"""A stand-in for the hub's interface on loopback: what huggingface_hub asks for when it lists and downloads files.

``HF_ENDPOINT`` points to it. It serves datasets with branches, gated and private ones, counts downloads, and can be
told to be too busy.
"""

import hashlib
import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_secret-token"
MAIN = "main"


@dataclass
class Hub:
    """The datasets: name -> revision -> file -> content."""

    datasets: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    """File -> a size that is stated instead of its own."""
    downloads: Counter[str] = field(default_factory=Counter)
    is_busy: bool = False
    endpoint: str = ""

    def commit(self, repo, revision):
        files = self.datasets[repo][revision]
        parts = [name.encode() + content for name, content in sorted(files.items())]
        return hashlib.sha1(b"".join([revision.encode(), *parts])).hexdigest()

    def revision(self, repo, asked):
        """Return the branch that a name or a commit means, or None."""
        found = self.datasets[repo]
        return asked if asked in found else next((name for name in found if self.commit(repo, name) == asked), None)


@contextmanager
def fake_hub():
    """Yield a ``Hub`` that is served until the end of the block."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, with_body):
        path = unquote(urlsplit(self.path).path)
        if self.hub.is_busy:
            return self._send(503, with_body=with_body)
        parts = path.removeprefix("/api").strip("/").split("/")
        repo = "/".join(parts[1:3])
        refusal = self._refusal(repo)
        if parts[0] != "datasets" or refusal:
            status, code = refusal or (404, "RepoNotFound")
            return self._send(status, {"X-Error-Code": code, "X-Error-Message": code}, with_body=with_body)
        action, rest = parts[3], parts[4:]
        width = 3 if rest[:2] in (["refs", "convert"], ["refs", "pr"]) else 1
        revision, name = self.hub.revision(repo, "/".join(rest[:width])), "/".join(rest[width:])
        if revision is None:
            return self._send(404, {"X-Error-Code": "RevisionNotFound"}, with_body=with_body)
        files = self.hub.datasets[repo][revision]
        commit = {"X-Repo-Commit": self.hub.commit(repo, revision)}
        if action == "tree":
            return self._send(200, commit, json.dumps([self._entry(*pair) for pair in files.items()]).encode())
        if action == "revision":
            return self._send(200, commit, json.dumps({"id": repo, "sha": commit["X-Repo-Commit"]}).encode())
        if name not in files:
            return self._send(404, commit | {"X-Error-Code": "EntryNotFound"}, with_body=with_body)
        if with_body:
            self.hub.downloads[name] += 1
        return self._file(name, files[name], commit, with_body)

    def _refusal(self, repo):
        token = self.headers.get("authorization") == f"Bearer {TOKEN}"
        if repo not in self.hub.datasets or (repo in self.hub.private and not token):
            return 401, "RepoNotFound"
        return (403, "GatedRepo") if repo in self.hub.gated and not token else None

    def _entry(self, name, content):
        return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def _file(self, name, content, headers, with_body):
        headers = headers | {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "Accept-Ranges": "bytes"}
        if name in self.hub.sizes:
            headers["X-Linked-Size"] = str(self.hub.sizes[name])
        self._send(200, headers, content, with_body)

    def _send(self, status, headers=None, body=b"", with_body=True):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_):
        pass
