"""The S3 store where answers get lost, servers restart, and credentials run out."""

import os
import threading
import time
import uuid

import pytest
from faulty_proxy import faulty_proxy
from s3_servers import BUCKET, seaweedfs

from cotfaith.cluster.storage import limits, upload
from cotfaith.cluster.storage.s3 import READERS, Encryption, S3Store
from cotfaith.schemas.errors import SpecError, StoreError
from cotfaith.workers.remote.s3_url import S3Url

MIB = 1024**2


@pytest.fixture
def proxy(seaweed_server, use):
    with faulty_proxy(seaweed_server.port) as before:
        use(seaweed_server, before)
        yield before


def new_store(**settings):
    return S3Store(S3Url(BUCKET, f"faults/{uuid.uuid4().hex[:8]}"), **{"patience_s": 20, **settings})


class TestLostAnswers:
    def test_a_conditional_put_that_was_done_is_ours(self, proxy):
        store = new_store()
        proxy.chosen = ["close_after"]
        assert store.put_if_absent("a", b"mine")
        assert proxy.calls["PUT"] == 2
        assert store.get("a") == b"mine"

    def test_one_that_came_second_is_not(self, proxy):
        store = new_store()
        store.put("a", b"theirs")
        proxy.chosen = ["close_after"]
        assert not store.put_if_absent("a", b"mine")
        assert store.get("a") == b"theirs"

    def test_a_replace_that_was_done_is_ours(self, proxy):
        store = new_store()
        store.put("a", b"old")
        tag = store.get_tagged("a")[1]
        proxy.chosen = ["close_after"]
        assert store.put_if_unchanged("a", b"mine", tag)
        assert not store.put_if_unchanged("a", b"again", tag)
        assert store.get("a") == b"mine"

    def test_an_upload_in_parts_that_was_done_is_done(self, proxy):
        store = new_store(multipart_bytes=5 * MIB)
        data = os.urandom(17 * MIB)
        proxy.chosen = [None, None, None, "close_after"]  # create, two parts, complete
        store.put("a", data)
        assert store.get("a") == data

    def test_a_conflict_is_tried_again(self, proxy):
        proxy.chosen = ["conflict", "conflict"]
        assert new_store().put_if_absent("a", b"1")
        assert proxy.done["conflict"] == 2

    def test_half_a_body_is_read_again(self, proxy):
        store = new_store()
        store.put("a", b"0123456789" * 100_000)
        proxy.chosen = ["half_body"] * 5  # more than the SDK tries
        assert store.get("a") == b"0123456789" * 100_000
        assert proxy.done["half_body"] == 5

    def test_the_adaptive_mode_of_the_sdk_gets_through(self, proxy, monkeypatch):
        monkeypatch.delenv("AWS_RETRY_MODE")
        store = new_store()
        proxy.chosen = ["SlowDown", "500", None, "SlowDown"]
        assert store.put_if_absent("a", b"1")
        assert store.get("a") == b"1"
        assert store._s3._client.meta.config.retries["mode"] == "adaptive"


class TestLongOutages:
    def test_a_store_that_refuses_connections_is_waited_for(self, proxy):
        store = new_store()
        proxy.refuse()
        threading.Timer(2, proxy.accept).start()
        assert store.put_if_absent("a", b"1")

    def test_patience_ends(self, proxy):
        store = new_store(patience_s=0.5)
        proxy.refuse()
        started = time.monotonic()
        with pytest.raises(StoreError, match=r"/a: http://127.*:\d+ gave no whole answer .* s of trying.*run again"):
            store.get("a")
        assert time.monotonic() - started < 15

    def test_a_server_that_is_killed_and_restarted_loses_nothing(self, use):
        with seaweedfs() as server:
            use(server)
            store = new_store(patience_s=60)
            store.put("first", b"1")
            killer = threading.Timer(0.3, server.restart)
            killer.start()
            written = []
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                key = f"{len(written):05}"
                assert store.put_if_absent(key, key.encode())
                written.append(key)
            killer.join()
            assert list(store.list()) == [*written, "first"]
            assert list(store.get_many(written)) == [key.encode() for key in written]

    def test_threads_of_a_reader_that_is_not_wanted_any_more_end(self, proxy):
        """They would keep a process alive that was told to stop."""
        store = new_store(patience_s=60)
        reading = store.get_many(f"{n}" for n in range(10 * READERS))
        assert next(reading) is None
        proxy.refuse()
        started = time.monotonic()
        reading.close()
        assert time.monotonic() - started < 2
        while any(thread.name.startswith("cotfaith-s3") for thread in threading.enumerate()):
            assert time.monotonic() - started < 30
            time.sleep(0.1)


class TestCredentials:
    """On ministack, which accepts all keys; the proxy says which ones have expired."""

    @pytest.fixture
    def proxy(self, ministack_server, use):
        with faulty_proxy(ministack_server.port) as before:
            use(ministack_server, before)
            yield before

    def test_new_ones_in_the_environment_are_found(self, proxy, monkeypatch):
        store = new_store()
        store.put("a", b"1")
        proxy.expired.add(os.environ["AWS_ACCESS_KEY_ID"])
        threading.Timer(1, monkeypatch.setenv, ("AWS_ACCESS_KEY_ID", "AKIANEW")).start()
        assert store.put_if_absent("b", b"2")
        assert list(store.get_many(["a", "b"])) == [b"1", b"2"]
        assert proxy.done["ExpiredToken"]

    def test_new_ones_in_the_credentials_file_are_found(self, proxy, monkeypatch, tmp_path):
        file = tmp_path / "credentials"
        text = "[default]\naws_access_key_id = {}\naws_secret_access_key = s\n"
        file.write_text(text.format("AKIAOLD"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        store = new_store()
        store.put("a", b"1")
        proxy.expired.add("AKIAOLD")
        threading.Timer(1, file.write_text, (text.format("AKIANEW"),)).start()
        assert store.get("a") == b"1"
        assert proxy.done["ExpiredToken"]

    def test_if_none_come_it_is_said_without_secrets(self, proxy, caplog):
        store = new_store(patience_s=0.5)
        proxy.expired.add("*")
        with pytest.raises(StoreError, match="credentials have expired") as raised:
            store.put("a", b"1")
        for secret in (os.environ["AWS_SECRET_ACCESS_KEY"], "Signature"):
            assert secret not in str(raised.value) + caplog.text

    def test_encryption_is_asked_for(self, proxy):
        for sse in (Encryption("AES256"), Encryption("aws:kms", "alias/k")):
            store = new_store(encryption=sse, multipart_bytes=5 * MIB)
            for key, data in (("small", b"1"), ("large", bytes(6 * MIB))):
                store.put(key, data)
                head = store._s3.call("", lambda client, key=key, store=store: client.head_object(**store._named(key)))
                assert head["ServerSideEncryption"] == sse.sse
                assert head.get("SSEKMSKeyId", "alias/k").endswith(sse.kms_key or "alias/k")


class TestUploadsInParts:
    def uploads(self, server):
        return server.client().list_multipart_uploads(Bucket=BUCKET, Prefix="faults/").get("Uploads", [])

    @pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
    def test_parts_of_an_upload_that_does_not_end_are_removed(self, seaweed, monkeypatch, error):
        def interrupted(client, this, data):
            client.upload_part(**this, PartNumber=1, Body=data[: 5 * MIB])
            assert len(self.uploads(seaweed)) == 1
            raise error

        monkeypatch.setattr(upload, "_send_parts", interrupted)
        with pytest.raises(error):
            new_store(multipart_bytes=5 * MIB).put("a", bytes(6 * MIB))
        assert self.uploads(seaweed) == []

    def test_and_those_of_a_server_that_fails(self, proxy, seaweed_server):
        proxy.chosen = [None, "denied"]
        store = new_store(multipart_bytes=5 * MIB)
        with pytest.raises(SpecError, match="AccessDenied"):
            store.put("a", bytes(6 * MIB))
        assert self.uploads(seaweed_server) == []
        assert store.get("a") is None


def test_an_object_that_memory_should_not_hold_is_not_read(seaweed, monkeypatch):
    store = new_store()
    store.put("a", b"12345")
    monkeypatch.setattr(limits, "MAX_OBJECT_BYTES", 4)
    with pytest.raises(StoreError, match=r"s3://.*/a has 5 bytes; at most 4 are read"):
        store.get("a")
