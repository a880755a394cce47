"""What a run rests on, as named checks of a store.

In: a store. Out: an ``Outcome`` per check. All objects of the checks are below one new prefix, and are removed.
"""

import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from cotfaith.cluster.storage.store import Store
from cotfaith.schemas.errors import CotfaithError, StoreError

LARGE_BYTES = 17 * 1024**2
"""Large enough for two parts of an upload, if the store was opened for uploads in parts from ``PARTS_FROM_BYTES``."""
PARTS_FROM_BYTES = 8 * 1024**2
_RACERS = 8
_LARGE_RACERS = 3
_ROUNDS = 3
_THREADS = 16
_MANY = 1_050
_ODD = (
    "a b",
    "a+b",
    "a%20b",
    "a%b",
    "ü-日本-😀",
    "a?b=c",
    "a#b",
    "a&b",
    "a=b;c,d",
    "a'b(c)",
    "a:b@c",
    "a~b!$",
    "A",
    "a/b/c",
)
_SHOWN = 200
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Check:
    """One property: its name is what holds, and ``run`` raises if it does not."""

    name: str
    run: Callable[[Store, str], None]


@dataclass(frozen=True)
class Outcome:
    """What one check found."""

    name: str
    seen: str | None
    """What was seen instead; null: the check passed."""


def conform(store: Store) -> Iterator[Outcome]:
    """Run every check on ``store`` and yield each outcome as it is known; then remove what the checks wrote."""
    prefix = f".check-{uuid.uuid4().hex}/"
    try:
        for number, check in enumerate(CHECKS):
            yield Outcome(check.name, failure(check, store, f"{prefix}{number}/"))
    finally:
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(store.delete, store.list(prefix)))


def failure(check: Check, store: Store, prefix: str) -> str | None:
    """Return what ``check`` saw that it should not, or None. It writes below ``prefix`` only."""
    try:
        check.run(store, prefix)
    except CotfaithError as error:
        return str(error)
    return None


def _expect(met: bool, seen: str) -> None:
    if not met:
        raise StoreError(seen)


def _expect_object(store: Store, key: str, data: bytes | None) -> None:
    found = store.get(key)
    _expect(found == data, f"expected {_words(data)}, got {_words(found)}")


def _words(data: bytes | None) -> str:
    return "no object" if data is None else f"{data[:12]!r} of {len(data):,} bytes"


def _comes_back(store: Store, prefix: str) -> None:
    data = _random(100_000, 0)
    store.put(f"{prefix}a", data)
    _expect_object(store, f"{prefix}a", data)


def _empty(store: Store, prefix: str) -> None:
    store.put(f"{prefix}a", b"")
    _expect_object(store, f"{prefix}a", b"")
    _expect(not store.put_if_absent(f"{prefix}a", b"1"), "put_if_absent wrote over an empty object")


def _missing(store: Store, prefix: str) -> None:
    _expect_object(store, f"{prefix}a", None)
    _expect(store.get_tagged(f"{prefix}a") is None, "an object with a tag")
    _expect_keys(store, prefix, [])


def _replaces(store: Store, prefix: str) -> None:
    for number in range(5):
        store.put(f"{prefix}a", b"%d" % number)
        _expect_object(store, f"{prefix}a", b"%d" % number)


def _listed(store: Store, prefix: str) -> None:
    for number in range(5):
        store.put(f"{prefix}{number}", b"1")
        _expect_keys(store, prefix, [f"{prefix}{n}" for n in range(number + 1)])
    _expect_keys(store, f"{prefix}3", [f"{prefix}3"])


def _deleted(store: Store, prefix: str) -> None:
    for key in ("a", "b"):
        store.put(f"{prefix}{key}", b"1")
    for _ in range(2):
        store.delete(f"{prefix}a")
        _expect_object(store, f"{prefix}a", None)
        _expect_keys(store, prefix, [f"{prefix}b"])
    _expect(store.put_if_absent(f"{prefix}a", b"2"), "put_if_absent did not write a deleted object")


def _pages(store: Store, prefix: str) -> None:
    keys = [f"{prefix}{number:05}" for number in range(_MANY)]
    _at_once(keys, lambda key: store.put(key, b"1"))
    _expect_keys(store, prefix, keys)


def _odd_keys(store: Store, prefix: str) -> None:
    keys = sorted(f"{prefix}{name}" for name in (*_ODD, "x" * 200))
    for key in keys:
        store.put(key, key.encode())
    for key in keys:
        _expect_object(store, key, key.encode())
    _expect_keys(store, prefix, keys)


def _order(store: Store, prefix: str) -> None:
    keys = sorted(f"{prefix}{name}" for name in ("b/2", "b/10", "b-/1", "b", "B", "bc/1", "b.c"))
    keys.remove(f"{prefix}b")  # a folder cannot hold both b and b/2
    for key in keys:
        store.put(key, b"1")
    _expect_keys(store, prefix, keys)


def _many(store: Store, prefix: str) -> None:
    keys = [f"{prefix}{number}" for number in range(60)]
    _at_once(keys[::2], lambda key: store.put(key, key.encode()))
    expected = [key.encode() if number % 2 == 0 else None for number, key in enumerate(keys)]
    _expect(list(store.get_many(keys)) == expected, "other objects, or another order")


def _absent(store: Store, prefix: str) -> None:
    _write_once(store, f"{prefix}a", b"1", b"2")


def _unchanged(store: Store, prefix: str) -> None:
    _replace_once(store, f"{prefix}a", b"1", b"2", b"3")


def _gone(store: Store, prefix: str) -> None:
    store.put(f"{prefix}a", b"1")
    tag = _tag(store, f"{prefix}a")
    store.delete(f"{prefix}a")
    _expect(not store.put_if_unchanged(f"{prefix}a", b"2", tag), "put_if_unchanged wrote an object that was gone")
    _expect_object(store, f"{prefix}a", None)


def _absent_race(store: Store, prefix: str) -> None:
    for round_ in range(_ROUNDS):
        _race(store, f"{prefix}{round_}", _racers(_RACERS, 1000, round_), store.put_if_absent)


def _unchanged_race(store: Store, prefix: str) -> None:
    key = f"{prefix}a"
    store.put(key, b"1")
    for round_ in range(_ROUNDS):
        _race(store, key, _racers(_RACERS, 1000, round_), partial(store.put_if_unchanged, tag=_tag(store, key)))


def _large(store: Store, prefix: str) -> None:
    data = _random(LARGE_BYTES, 1)
    store.put(f"{prefix}a", data)
    _expect_object(store, f"{prefix}a", data)


def _large_absent(store: Store, prefix: str) -> None:
    _write_once(store, f"{prefix}a", _random(LARGE_BYTES, 1), _random(LARGE_BYTES, 2))


def _large_unchanged(store: Store, prefix: str) -> None:
    _replace_once(store, f"{prefix}a", b"1", _random(LARGE_BYTES, 1), _random(LARGE_BYTES, 2))


def _large_race(store: Store, prefix: str) -> None:
    _race(store, f"{prefix}a", _racers(_LARGE_RACERS, LARGE_BYTES, 0), store.put_if_absent)


def _folders(store: Store, prefix: str) -> None:
    for key in ("b/2/c", "b/1/c", "b/1/d", "a", "c/1"):
        store.put(f"{prefix}{key}", b"1")
    for below, names in (("", ["b", "c"]), ("b/", ["1", "2"]), ("none/", [])):
        found = list(store.folders(f"{prefix}{below}"))
        _expect(found == names, f"expected the folders {names}, got {found}")
        tagged = sorted(name for name, _ in store.tagged_folders(f"{prefix}{below}"))
        _expect(tagged == names, f"expected the tagged folders {names}, got {tagged}")
    _expect(store.folder_tag(f"{prefix}b/1/")[1] == ("c", "d"), "other names in the folder than were put")
    _expect(store.folder_tag(f"{prefix}none/")[1] == (), "names in a folder that is not there")


def _folder_tags(store: Store, prefix: str) -> None:
    """A tag may be missing: then nothing rests on it."""
    seen: list[str | None] = []
    changes: tuple[Callable[[], object], ...] = (
        lambda: store.put(f"{prefix}a/1", b"1"),
        lambda: store.put_if_absent(f"{prefix}a/2", b"2"),
        lambda: store.put(f"{prefix}a/2", b"3"),
        lambda: store.delete(f"{prefix}a/1"),
    )
    for change in changes:
        change()
        tag, (both,) = store.folder_tag(f"{prefix}a/")[0], [tag for _, tag in store.tagged_folders(prefix)]
        _expect(tag == both or None in (tag, both), f"two tags of one folder: {tag}, {both}")
        _expect(tag is None or tag not in seen, "a tag did not change with its folder")
        seen.append(tag)


def _write_once(store: Store, key: str, first: bytes, second: bytes) -> None:
    _expect(store.put_if_absent(key, first), "put_if_absent did not write a new object")
    _expect(not store.put_if_absent(key, second), "put_if_absent wrote over an object: conditions are ignored")
    _expect_object(store, key, first)


def _replace_once(store: Store, key: str, first: bytes, second: bytes, third: bytes) -> None:
    store.put(key, first)
    tag = _tag(store, key)
    _expect(store.put_if_unchanged(key, second, tag), "put_if_unchanged did not replace an object with its own tag")
    _expect(not store.put_if_unchanged(key, third, tag), "put_if_unchanged took a stale tag: conditions are ignored")
    _expect_object(store, key, second)


def _race(store: Store, key: str, objects: list[bytes], write: Callable[[str, bytes], bool]) -> None:
    won = _at_once(objects, lambda data: write(key, data))
    _expect(won.count(True) == 1, f"{won.count(True)} of {len(objects)} racing writers won; expected 1")
    _expect_object(store, key, objects[won.index(True)])


def _racers(count: int, size: int, round_: int) -> list[bytes]:
    """Return an object per racer, each unlike all others and those of other rounds."""
    return [_random(size, round_ * count + number) for number in range(count)]


def _random(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _at_once(values: Iterable[T], do: Callable[[T], R]) -> list[R]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(do, values))


def _tag(store: Store, key: str) -> str:
    found = store.get_tagged(key)
    if found is None:
        raise StoreError("no object with a tag after a put")
    return found[1]


def _expect_keys(store: Store, prefix: str, keys: list[str]) -> None:
    found = list(store.list(prefix))
    _expect(found == keys, f"expected {_list(keys)}, got {_list(found)}")


def _list(keys: list[str]) -> str:
    text = f"{len(keys)} keys"
    return f"{text}: {', '.join(key.partition('/')[2] for key in keys)}"[:_SHOWN]


CHECKS = (
    Check("an object comes back as it was written", _comes_back),
    Check("an empty object is an object", _empty),
    Check("what is not there is none", _missing),
    Check("a put replaces, at once", _replaces),
    Check("a list shows each put, at once", _listed),
    Check("a deleted object is gone, at once", _deleted),
    Check("a list goes on past 1,000 keys", _pages),
    Check("keys with odd characters come back as written", _odd_keys),
    Check("a list is in the order of the keys", _order),
    Check("folders are listed by level", _folders),
    Check("a folder's tag changes with its objects", _folder_tags),
    Check("many objects are read in the order of the keys", _many),
    Check("put_if_absent writes once", _absent),
    Check("put_if_unchanged refuses a stale tag", _unchanged),
    Check("put_if_unchanged refuses what is gone", _gone),
    Check("of racing put_if_absent one wins", _absent_race),
    Check("of racing put_if_unchanged one wins", _unchanged_race),
    Check("a large object comes back as it was written", _large),
    Check("put_if_absent writes a large object once", _large_absent),
    Check("put_if_unchanged refuses a stale tag of a large object", _large_unchanged),
    Check("of racing put_if_absent of large objects one wins", _large_race),
)
"""All of them, cheap ones first."""
