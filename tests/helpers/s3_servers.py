"""S3 servers on loopback, for the tests: each is the process that was just started, and ends for certain.

``seaweedfs`` is the real one, which survives ``kill`` and ``restart`` on the same data; ``ministack`` the fast second;
``rclone`` the one that ignores conditions. Each is a context manager that yields a ``Server``. If its package is not
installed, the test is skipped.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import psutil
import pytest

BUCKET = "cotfaith-tests"
TABLES = "cotfaith-tables"
"""The bucket of SeaweedFS's Iceberg tables."""
STARTS_WITHIN_S = 60
_PORTS = range(20_000, 32_000)  # below the ports of outgoing connections, which could take one while a server is down


def free_ports(count):
    """Return ports of loopback that nobody listens on."""
    found = []
    for port in random.SystemRandom().sample(_PORTS, 500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


@dataclass
class Server:
    """A server's process group, its folder, and what a client needs."""

    name: str
    folder: Path
    port: int
    command: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    key: str = field(default_factory=lambda: f"AKIA{random.SystemRandom().randrange(10**12):012}")
    secret: str = field(default_factory=lambda: f"secret{random.SystemRandom().randrange(10**24):024}")
    process: subprocess.Popen | None = None
    iceberg_port: int = 0
    """Where it is an Iceberg REST catalog too; 0: it is none."""

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self):
        """What the standard AWS means read; the files of the user's home are left out."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_RETRY_MODE": "standard",  # adaptive, the default, slows down after each SlowDown of the tests
        }

    def url(self, prefix):
        return f"s3://{BUCKET}/{prefix}"

    def client(self):
        """Return a client that does not look at the test's environment."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
        )

    def start(self):
        """Start the process, on the data of earlier ones, and wait until it listens and answers."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **self.settings},
                start_new_session=True,
            )
        end = time.monotonic() + STARTS_WITHIN_S
        while not (self._listens() and self._answers()):
            is_starting = self.process.poll() is None and time.monotonic() < end
            assert is_starting, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.05)

    def kill(self):
        """End the whole group at once, as a lost machine would."""
        self._signal(signal.SIGKILL)
        self.process.wait(20)

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.kill()

    def _signal(self, number):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _listens(self):
        """Whether the process that was just started, and no other, has the port."""
        try:
            own = psutil.Process(self.process.pid)
            listening = [c for p in (own, *own.children(recursive=True)) for c in p.net_connections("tcp")]
        except psutil.NoSuchProcess:
            return False
        return any(c.status == psutil.CONN_LISTEN and c.laddr == ("127.0.0.1", self.port) for c in listening)

    def _answers(self):
        try:
            self.client().head_bucket(Bucket=BUCKET)
        except Exception:
            return False
        return True


@contextmanager
def seaweedfs():
    master, volume, filer, s3, iceberg, admin, *grpc = free_ports(11)
    with _folder() as folder:
        ports = {
            "master.port": master, "master.port.grpc": grpc[0], "volume.port": volume, "volume.port.grpc": grpc[1],
            "filer.port": filer, "filer.port.grpc": grpc[2], "s3.port": s3, "s3.port.grpc": grpc[3],
            "s3.port.iceberg": iceberg, "s3.port.lance": 0, "admin.port": admin, "admin.port.grpc": grpc[4],
        }  # fmt: skip
        command = [
            _program("weed"),
            "mini",
            f"-dir={folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{name}={port}" for name, port in ports.items()),
            f"-filer.localSocket={folder}/filer.sock",
            f"-s3.localSocket={folder}/s3.sock",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
        ]
        server = Server("seaweedfs", folder, s3, command)
        server.settings = {
            "AWS_ACCESS_KEY_ID": server.key,
            "AWS_SECRET_ACCESS_KEY": server.secret,
            "S3_BUCKET": BUCKET,
            "S3_TABLE_BUCKET": TABLES,
        }
        server.iceberg_port = iceberg
        try:
            with _running(server):
                yield server
        finally:
            for left in (one for port in grpc for one in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock")):
                left.unlink()


@contextmanager
def ministack():
    (port,) = free_ports(1)
    with _folder() as folder:
        settings = {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "data"),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(folder / "state"),
        }
        server = _Ministack("ministack", folder, port, [_program("ministack")], settings)
        with _running(server):
            yield server


class _Ministack(Server):
    """It begins without buckets, and accepts all credentials."""

    def _answers(self):
        try:
            self.client().create_bucket(Bucket=BUCKET)
        except Exception:
            return super()._answers()
        return True


@contextmanager
def rclone():
    (port,) = free_ports(1)
    with _folder() as folder:
        (folder / "data" / BUCKET).mkdir(parents=True)
        server = Server("rclone", folder, port, [])
        server.command = [
            _program("rclone"),
            "serve",
            "s3",
            str(folder / "data"),
            f"--addr=127.0.0.1:{port}",
            f"--auth-key={server.key},{server.secret}",
            "--config=",
            "--vfs-cache-mode=full",
            f"--cache-dir={folder / 'cache'}",
        ]
        with _running(server):
            yield server


@contextmanager
def _running(server):
    try:
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.stop()


@contextmanager
def _folder():
    with tempfile.TemporaryDirectory(prefix="s3-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _program(name):
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: make setup")
    return found
