"""A server on loopback that speaks the completions protocol, with configurable capabilities.

Its model reads bytes: the next token after a prompt is the last byte plus one, with probability 1/2; the other tokens
of the 256 share the rest. So its answers can be computed.
"""

import json
import math
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

_PORTS = set()
"""The ports of this process's servers so far."""
LIKELY, RARE = math.log(0.5), math.log(0.5 / 255)


class Fake:
    """One server; ``plan`` has answers to give before the ordinary ones, as (status, body, headers)."""

    def __init__(self, models=("tiny",), key=None, **abilities):
        self.models, self.key = models, key
        self.can = {"ids": True, "extras": True, "named": True, "echo": True, "completions": True} | abilities
        self.window = 256
        self.delay_s = 0.0
        self.plan = []
        self.seen = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()

    def answer(self, method, path, headers, body):
        with self.lock:
            self.seen.append((method, path, body))
            planned = self.plan.pop(0) if self.plan and method == "POST" else None
        if planned is not None:
            return planned
        if self.key is not None and headers.get("Authorization") != f"Bearer {self.key}":
            return 401, {"error": {"message": f"Incorrect API key: {headers.get('Authorization')}"}}, {}
        if path == "/v1/models":
            return 200, {"data": [{"id": m, "max_model_len": self.window} for m in self.models]}, {}
        if path == "/v1/completions" and self.can["completions"]:
            return self.complete(body)
        return 404, {"error": {"message": "no such path"}}, {}

    def complete(self, body):
        prompt = body["prompt"]
        if isinstance(prompt, list) and not self.can["ids"]:
            return 400, {"error": {"message": "prompt must be a string"}}, {}
        if "top_k" in body and not self.can["extras"]:
            return 422, {"detail": "unexpected field top_k"}, {}
        tokens = prompt if isinstance(prompt, list) else list(prompt.encode())
        if len(tokens) + body["max_tokens"] > self.window:
            return 400, {"error": {"message": "This model's maximum context length is 256 tokens"}}, {}
        new = [(tokens[-1] + 1 + n) % 256 for n in range(body["max_tokens"])]
        choice = {"text": bytes(new).decode(errors="replace"), "finish_reason": "length"}
        if body.get("return_token_ids") and self.can["extras"]:
            choice["token_ids"] = new
        choice["logprobs"] = self.logprobs(body, tokens, new)
        usage = {"prompt_tokens": len(tokens), "completion_tokens": len(new)}
        return 200, {"choices": [choice], "usage": usage}, {}

    def logprobs(self, body, tokens, new):
        if body.get("logprobs") is None or not (self.can["named"] or self.can["echo"]):
            return None
        named = body.get("logprob_token_ids", []) if self.can["named"] else []
        top = {f"token_id:{t}": LIKELY if t == new[0] else RARE for t in [new[0], *named]}
        found = [LIKELY] * len(new)
        if body.get("echo") and self.can["echo"]:
            pairs = pairwise(tokens)
            found = [None, *(LIKELY if b == (a + 1) % 256 else RARE for a, b in pairs), *found]
        return {"top_logprobs": [top], "token_logprobs": found}

    def __call__(self, *request):
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            time.sleep(self.delay_s)
            return self.answer(*request)
        finally:
            with self.lock:
                self.under_way -= 1

    def posts(self):
        return [body for method, _, body in self.seen if method == "POST"]


def _server_at_a_new_port(handler):
    """Return a server at a port that no earlier one had: what a server can do is cached by its address."""
    refused = []
    try:
        while (server := ThreadingHTTPServer(("127.0.0.1", 0), handler)).server_address[1] in _PORTS:
            refused.append(server)
    finally:
        for one in refused:
            one.server_close()
    _PORTS.add(server.server_address[1])
    return server


@contextmanager
def serving(fake):
    """Serve ``fake`` and yield its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, data, headers = fake(self.command, self.path, self.headers, json.loads(body) if body else None)
            payload = data if isinstance(data, bytes) else json.dumps(data).encode()
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(payload))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)
            except ConnectionError:
                pass  # the client gave up waiting

        do_GET = do_POST = reply  # noqa: N815

        def log_message(self, *_):
            pass

    server = _server_at_a_new_port(Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
