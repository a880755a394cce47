"""What is wrong with an address, a bucket or credentials is said before anything is written, without secrets."""

import http.server
import threading
import uuid
from contextlib import contextmanager

import pytest
from faulty_proxy import faulty_proxy
from s3_servers import BUCKET

from cotfaith.cluster.storage import conformance
from cotfaith.cluster.storage.s3 import S3Store
from cotfaith.cluster.storage.store import CHECK_PREFIX, check_conditional_put, check_place, open_store
from cotfaith.schemas.errors import SpecError, StoreError
from cotfaith.schemas.spec import OutputSpec
from cotfaith.workers.remote.s3_url import S3Url

HIDDEN = "hunter2"


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            f"s3://AKIAX:{HIDDEN}@bucket/run",
            f"s3://AKIAX:{HIDDEN}/run",
            f"s3://{HIDDEN}@bucket",
            f"s3://bucket/run?X-Amz-Signature={HIDDEN}",
            f"s3://bucket?x={HIDDEN}",
            f"s3://bucket/run#{HIDDEN}",
        ],
    )
    def test_credentials_are_refused_and_not_shown(self, url):
        with pytest.raises(SpecError, match="not shown here") as raised:
            open_store(url)
        assert HIDDEN not in str(raised.value)

    @pytest.mark.parametrize(
        "bucket", ["", "ab", "Upper", "under_score", "a..b", "-ab", "ab-", "10.0.0.1", "a" * 64, "é" * 5]
    )
    def test_a_name_that_no_bucket_has(self, bucket):
        with pytest.raises(SpecError, match="cannot be a bucket's name"):
            open_store(f"s3://{bucket}/run")

    @pytest.mark.parametrize("url", ["s3:/bucket/run", "S3://bucket/run", "s3:bucket"])
    def test_what_is_meant_as_an_address_is_no_folder(self, url):
        with pytest.raises(SpecError, match="begins with s3://"):
            open_store(url)

    @pytest.mark.parametrize("url", ["gs://bucket/run", "https://host/bucket", f"https://user:{HIDDEN}@host"])
    def test_other_schemes(self, url):
        with pytest.raises(SpecError, match="is not supported; name a folder, or s3://") as raised:
            open_store(url)
        assert HIDDEN not in str(raised.value)

    @pytest.mark.parametrize("prefix", ["a//b", "../a", "a/./b", "a\nb"])
    def test_a_prefix_that_clients_would_change(self, prefix):
        with pytest.raises(SpecError, match=r"Leave (them|it) out"):
            open_store(f"s3://bucket/{prefix}")

    def test_a_backslash_that_some_servers_do_not_list(self):
        with pytest.raises(SpecError, match=r"has a backslash.* Use / between"):
            open_store("s3://bucket/runs\\first")

    def test_a_prefix_that_leaves_no_room_for_keys(self):
        open_store(f"s3://bucket/{'a' * 600}")
        with pytest.raises(SpecError, match=r"has 624 bytes; at most 623 leave room"):
            open_store(f"s3://bucket/{'ü' * 312}")

    def test_a_key_that_is_too_long(self):
        with pytest.raises(SpecError, match=r"at most 1,024 bytes, this one has 1,026"):
            open_store("s3://bucket/run").put("ü" * 511, b"")

    def test_slashes_at_the_ends_do_not_matter(self):
        for url in ("s3://bucket/a/b", "s3://bucket/a/b/"):
            assert open_store(url).place("k") == "s3://bucket/a/b/k"
        assert open_store("s3://bucket").place("k") == "s3://bucket/k"

    def test_encryption_is_part_of_the_output(self):
        store = open_store(OutputSpec(path="s3://bucket/run", sse="aws:kms", sse_kms_key="k"))
        assert store._encryption == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}
        assert open_store(OutputSpec(path="s3://bucket/run", sse="aes256"))._encryption == {
            "ServerSideEncryption": "AES256"
        }
        with pytest.raises(ValueError, match="sse_kms_key needs sse: aws:kms"):
            OutputSpec(sse_kms_key="k")


def refused(url):
    """Return what is wrong, as a run finds it first."""
    with pytest.raises(SpecError) as raised:
        check_place(open_store(url))
    return str(raised.value)


class TestBuckets:
    def test_one_that_does_not_exist(self, seaweed):
        assert f"there is no such bucket at {seaweed.endpoint}. Create it" in refused("s3://not-there/run")

    @pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    def test_wrong_credentials(self, seaweed, monkeypatch, name):
        monkeypatch.setenv(name, HIDDEN)
        said = refused(seaweed.url("run"))
        assert "does not accept the AWS credentials" in said
        assert HIDDEN not in said
        assert seaweed.secret not in said

    def test_no_credentials(self, seaweed, monkeypatch):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        assert "no complete AWS credentials on this machine. Set AWS_ACCESS_KEY_ID" in refused(seaweed.url("run"))

    def test_a_server_without_encryption(self, seaweed, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", seaweed.endpoint.replace("http:", "https:"))
        assert "begin the endpoint with http://" in refused(seaweed.url("run"))

    def test_a_profile_that_does_not_exist(self, seaweed, monkeypatch):
        monkeypatch.setenv("AWS_PROFILE", "none-such")
        assert "The AWS settings cannot be used" in refused(seaweed.url("run"))

    @pytest.mark.parametrize(
        "endpoint", [f"http://AKIA:{HIDDEN}@127.0.0.1:1", f"http://127.0.0.1:1/?t={HIDDEN}", f"x@{HIDDEN}"]
    )
    def test_an_endpoint_with_credentials_is_not_shown(self, seaweed, monkeypatch, endpoint):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        said = refused(seaweed.url("run"))
        assert "not shown here" in said
        assert HIDDEN not in said

    def test_a_server_that_is_not_there_is_said_within_seconds(self, seaweed, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        monkeypatch.setattr("cotfaith.cluster.storage.s3.FIRST_PATIENCE_S", 0.5)
        with pytest.raises(StoreError, match=r"http://127.0.0.1:9 gave no whole answer \(no connection\)"):
            check_place(open_store(seaweed.url("run")))

    def test_one_that_may_be_read_only(self, seaweed_server, use):
        with faulty_proxy(seaweed_server.port) as proxy:
            use(seaweed_server, proxy)
            store = open_store(seaweed_server.url(f"run-{uuid.uuid4().hex}"))
            check_place(store)
            proxy.chosen = ["denied"]
            with pytest.raises(SpecError, match=r"may not do this \(AccessDenied.*s3:PutObject"):
                check_conditional_put(store)
            assert list(store.list()) == []

    @pytest.mark.parametrize(
        ("status", "code", "told", "headers", "expected"),
        [
            (400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>", {}, "in the region eu-west-1;"),
            (301, "PermanentRedirect", "", {"x-amz-bucket-region": "eu-west-1"}, "Set AWS_REGION=eu-west-1."),
            (301, "PermanentRedirect", "", {}, "in another region; us-east-1 was asked. Set AWS_REGION to its"),
        ],
    )
    def test_one_of_another_region(self, seaweed, monkeypatch, status, code, told, headers, expected):
        body = f"<Error><Code>{code}</Code><Message>m</Message>{told}</Error>"
        with canned(status, body, headers) as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
            assert expected in refused(seaweed.url("run"))


class TestPrefixes:
    def store(self):
        return S3Store(S3Url(BUCKET, f"open/{uuid.uuid4().hex[:8]}"))

    def test_one_that_holds_something_else(self, seaweed):
        store = self.store()
        store.put("photos/1.jpg", b"")
        with pytest.raises(SpecError, match=r"holds no run but other objects, such as photos/1.jpg. Use another"):
            check_place(store)

    def test_a_run_and_what_a_run_leaves_before_it_has_a_record_are_none(self, seaweed):
        store = self.store()
        check_place(store)
        store.put(f"{CHECK_PREFIX}x", b"")
        store.put("_lease.json", b"")
        check_place(store)
        store.put("chains/1", b"")
        store.put("run.json", b"{}")
        check_place(store)

    def test_the_mark_of_a_folder_is_none(self, seaweed):
        store = self.store()
        seaweed.client().put_object(Bucket=BUCKET, Key=f"{store.url.key}/", Body=b"")
        check_place(store)
        assert list(store.list()) == []

    def test_a_neighbour_whose_name_goes_on_is_none(self, seaweed):
        store = self.store()
        S3Store(S3Url(BUCKET, f"{store.url.key}-more")).put("a", b"")
        check_place(store)
        assert list(store.list()) == []


class TestCommand:
    @pytest.fixture(autouse=True)
    def fewer_keys(self, monkeypatch):
        monkeypatch.setattr(conformance, "_MANY", 20)

    def test_a_store_that_passes(self, cli, seaweed):
        code, out, _ = cli("check-store", seaweed.url("checked"))
        assert code == 0, out
        assert out.splitlines()[0] == "passed  an object comes back as it was written"
        assert "21 of 21 checks passed" in out

    def test_a_folder_that_passes(self, cli, tmp_path):
        assert cli("check-store", str(tmp_path / "run"))[0] == 0
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_a_store_that_fails(self, cli, rclone):
        code, out, _ = cli("check-store", rclone.url("checked"))
        assert code == 1
        assert "FAILED  put_if_absent writes once: put_if_absent wrote over an object" in out

    def test_bad_input(self, cli, seaweed):
        code, out, err = cli("check-store", "s3://not-there/run")
        assert (code, out) == (2, "")
        assert "there is no such bucket" in err


@contextmanager
def canned(status, body, headers):
    """Yield the address of a server that gives every GET the same answer, and every HEAD a bare 403."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(status, body.encode())

        def do_HEAD(self):
            self.answer(403, b"")

        def answer(self, status, body):
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
