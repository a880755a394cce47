"""The metadata servers of AWS and GCP on loopback, with the notice and the troubles that a test sets."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACTION, REBALANCE = "/latest/meta-data/spot/instance-action", "/latest/meta-data/events/recommendations/rebalance"


class Metadata:
    """One server. ``troubles`` are given before the ordinary answers, one for each request."""

    def __init__(self):
        self.ends = None
        """When the machine ends, as AWS writes it."""
        self.preempted = threading.Event()
        self.rebalance = False
        self.troubles = []
        """A status, seconds to wait, or (status, headers)."""
        self.tokens = 0
        self.seen = []
        self.url = None

    def answer(self, method, path, headers):
        if path.startswith("/computeMetadata/"):
            return self.gcp(path, headers)
        if (method, path) == ("PUT", "/latest/api/token"):
            self.tokens += 1
            return (
                (200, f"token{self.tokens}", {}) if "X-aws-ec2-metadata-token-ttl-seconds" in headers else (400, "", {})
            )
        if headers.get("X-aws-ec2-metadata-token") != f"token{self.tokens}":
            return 401, "", {}
        if path == ACTION and self.ends is not None:
            return 200, json.dumps({"action": "terminate", "time": self.ends}), {}
        if path == REBALANCE and self.rebalance:
            return 200, json.dumps({"noticeTime": "2030-01-01T00:00:00Z"}), {}
        return 404, "", {}

    def gcp(self, path, headers):
        if headers.get("Metadata-Flavor") != "Google":
            return 403, "", {}
        if "wait_for_change=true" in path:
            self.preempted.wait(2)
        found = self.preempted.is_set()
        return 200, "TRUE" if found else "FALSE", {"Metadata-Flavor": "Google", "ETag": f"e{found:d}"}


@contextmanager
def metadata_server():
    """Yield a running ``Metadata``."""
    fake = Metadata()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            fake.seen.append((self.command, self.path))
            status, body, headers = fake.answer(self.command, self.path, self.headers)
            if fake.troubles:
                trouble = fake.troubles.pop(0)
                if isinstance(trouble, float):
                    time.sleep(trouble)
                else:
                    status, headers = trouble if isinstance(trouble, tuple) else (trouble, {})
                    body = ""
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())
            except OSError:
                pass  # the client has given up

        def do_PUT(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
