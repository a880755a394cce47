"""One contract for every store: a folder, and S3 on real servers, also with a fifth of the calls disturbed."""

import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from subprocess import run

import pytest
from faulty_proxy import faulty_proxy

from cotfaith.cluster.storage import conformance
from cotfaith.cluster.storage.conformance import CHECKS, PARTS_FROM_BYTES, conform, failure
from cotfaith.cluster.storage.local import LocalStore
from cotfaith.cluster.storage.store import check_conditional_put, check_place, open_store
from cotfaith.schemas.errors import InputError, UnfitStoreError

BEHIND_FAULTS = [check for check in CHECKS if "1,000" not in check.name]  # a thousand puts would take minutes
SHARE = 0.2


def prefix():
    return f"runs/{uuid.uuid4().hex[:8]}"


def by_name(checks):
    return pytest.mark.parametrize("check", checks, ids=[check.name for check in checks])


@pytest.fixture(scope="module")
def proxy(seaweed_server):
    with faulty_proxy(seaweed_server.port, share=SHARE, seed=20) as before:
        yield before


@by_name(CHECKS)
def test_a_folder(tmp_path, check):
    assert failure(check, LocalStore(tmp_path), "a/") is None


@by_name(CHECKS)
def test_seaweedfs(seaweed, check):
    assert failure(check, open_store(seaweed.url(prefix()), PARTS_FROM_BYTES), "a/") is None


@by_name(CHECKS)
def test_ministack(ministack, check):
    assert failure(check, open_store(ministack.url(prefix()), PARTS_FROM_BYTES), "a/") is None


@by_name(BEHIND_FAULTS)
def test_seaweedfs_with_a_fifth_of_the_calls_disturbed(seaweed_server, use, proxy, check):
    use(seaweed_server, proxy)
    before = proxy.done.total()
    for _ in range(50):
        assert failure(check, open_store(seaweed_server.url(prefix()), PARTS_FROM_BYTES), "a/") is None
        if proxy.done.total() > before:
            return
    raise AssertionError("no call was disturbed")


def test_many_pages_come_whole_while_calls_are_disturbed(seaweed_server, use, proxy):
    use(seaweed_server)
    url, names = seaweed_server.url(prefix()), [f"{number:05}" for number in range(1_100)]
    store = open_store(url)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: store.put(key, b""), names))
    use(seaweed_server, proxy)
    for _ in range(3):
        assert list(open_store(url).list()) == names


def test_the_checks_find_a_store_that_ignores_conditions_and_leave_nothing(rclone, monkeypatch):
    monkeypatch.setattr(conformance, "_MANY", 20)
    store = open_store(rclone.url(prefix()), PARTS_FROM_BYTES)
    failed = {outcome.name for outcome in conform(store) if outcome.seen is not None}
    assert failed == {"an empty object is an object"} | {check.name for check in CHECKS if "put_if" in check.name}
    assert list(store.list()) == []


def test_a_run_refuses_such_a_store_before_it_writes(rclone):
    store = open_store(rclone.url(prefix()))
    check_place(store)
    assert issubclass(UnfitStoreError, InputError)  # exit code 2
    with pytest.raises(UnfitStoreError, match=r"^s3://.*ignores conditional writes.*SeaweedFS 4.48 or newer"):
        check_conditional_put(store)
    assert list(store.list()) == []


@pytest.mark.parametrize("server", ["seaweed", "ministack"])
def test_stores_with_conditions_pass_the_check_of_a_run(request, server):
    store = open_store(request.getfixturevalue(server).url(prefix()))
    check_place(store)
    check_conditional_put(store)
    assert list(store.list()) == []


def test_storms_of_races_on_ministack(ministack):
    """Sixty keys, eight writers each, by threads of two stores: one winner a key, whose object stays."""
    url = ministack.url(prefix())
    stores = [open_store(url), open_store(url)]
    races = [(number, racer) for number in range(60) for racer in range(8)]
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda race: stores[race[1] % 2].put_if_absent(f"{race[0]}", b"%d %d" % race), races))
    winners = [race for race, has_won in zip(races, won, strict=True) if has_won]
    assert [number for number, _ in winners] == list(range(60))
    assert list(stores[0].get_many(str(n) for n in range(60))) == [b"%d %d" % race for race in winners]


def test_another_process_opens_the_same_store_by_its_address(seaweed):
    url = seaweed.url(prefix())
    code = f"from cotfaith.cluster.storage.store import open_store; open_store({url!r}).put('a', b'1')"
    run([sys.executable, "-c", code], check=True)
    assert open_store(url).get("a") == b"1"
