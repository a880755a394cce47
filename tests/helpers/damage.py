"""Anything in the place of something: damaged bytes, changed JSON, and the check that what reads it says so clearly.

``FUZZ_EXAMPLES`` in the environment sets how many examples each test tries; CI tries few.
"""

import contextlib
import copy
import json
import os
import signal
import warnings

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cotfaith.schemas.errors import CotfaithError

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
MOST_S = 60
"""Seconds of processor time after which one example hangs."""
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
"""Decorates a test: CI tries the same examples each time; a long hunt tries others."""

NUMBERS = st.sampled_from([0, -1, 1, 2, 10**9, 2**31, 2**63, -(2**63), 10**30, 10**400]) | st.sampled_from(
    [1e308, -0.0, 0.5, float("nan"), float("inf"), float("-inf"), 1e-320]
)
TEXTS = st.sampled_from(
    [
        "",
        " ",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "\0",
        "\x1b[31m",
        "\u202e",
        "\ud800",
        "nan",
        "1",
        "True",
        "s3://",
        "s3://b",
        "hf://",
        "organism:",
        "organism:../x",
        "{}",
        "{question}",
        "%s",
        "x" * 300,
        "é",
        "🎉",
        "null",
    ]
) | st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
"""What JSON and YAML can hold, and some that they should not."""

INSERTED = [b"NaN", b"1e999", b"9" * 5000, b"\xff\xfe", b'"', b"\n", b",", b"]", b"}", b"&a *a"]


def deep(levels):
    """A list within a list, many times."""
    found = []
    for _ in range(levels):
        found = [found]
    return found


@st.composite
def changed(draw, tree, words=()):
    """A copy of plain data with one to three places changed: to a value of the same type or another one, to a text of
    ``words``, removed, doubled, nested deeply, or with a key more.
    """
    found = copy.deepcopy(tree)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        place = draw(st.sampled_from(list(_places(found)) or [None]))
        if place is None:
            return draw(VALUES)
        parent, key = place
        kind = draw(st.sampled_from(["like", "like", "like", "replace", "remove", "swap", "more", "deep"]))
        if kind == "like":
            parent[key] = draw(_like(parent[key], words))
        elif kind == "remove":
            del parent[key]
        elif kind == "swap":
            other, at = draw(st.sampled_from(list(_places(found))))
            parent[key] = copy.deepcopy(other[at])
        elif kind == "more" and isinstance(parent, dict):
            parent[draw(TEXTS)] = draw(VALUES)
        elif kind == "more":
            parent.append(copy.deepcopy(parent[key]))
        elif kind == "deep":
            parent[key] = deep(draw(st.sampled_from([3, 60])))
        else:
            parent[key] = draw(VALUES)
    return found


def _like(value, words):
    """Values of the same type, which pass the checks of types."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.integers(-2, 40) | st.sampled_from([10**6, 2**31, 2**63, 10**18, 10**30, 10**400])
    if isinstance(value, float):
        return st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0, 1e308, 5e-324, -1.0])
    if isinstance(value, str):
        return TEXTS | (st.sampled_from(words) if words else TEXTS)
    if isinstance(value, list):
        return st.sampled_from([[], value * 2, value[:1], value[1:], value[::-1], value * 400])
    return st.just({}) if isinstance(value, dict) else VALUES


def _places(tree):
    """Yield each container within a tree with each of its keys."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield tree, key
            yield from _places(value)


@st.composite
def damaged(draw, data):
    """Bytes with one to three faults: cut, flipped, doubled, zeroed, overwritten, nested, in another encoding."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        length = draw(st.integers(1, 40))
        kind = draw(st.sampled_from(["cut", "flip", "double", "zero", "write", "insert", "nest", "front", "utf-16"]))
        if kind == "cut":
            del found[at:]
        elif kind == "flip" and found:
            found[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "double":
            found[at:at] = found[at : at + length]
        elif kind == "zero":
            found[at : at + length] = bytes(len(found[at : at + length]))
        elif kind == "write":
            found[at : at + length] = draw(st.binary(min_size=1, max_size=12))
        elif kind == "insert":
            found[at:at] = draw(st.sampled_from(INSERTED))
        elif kind == "nest":
            found[at:at] = draw(st.sampled_from([b"[", b'{"a":', b"- "])) * draw(st.sampled_from([3, 20_000]))
        elif kind == "front":
            found[:at] = b""
        else:
            found = bytearray(bytes(found).decode("latin-1").encode("utf-16"))
    return bytes(found)


def as_json(tree):
    """JSON as Python writes it: NaN, Infinity and huge numbers too."""
    return json.dumps(tree).encode()


@contextlib.contextmanager
def clear_error_or_none():
    """Allow errors of ours that say something; any other fails the test, and so does a hang."""

    def hangs(*_):
        raise AssertionError(f"no answer within {MOST_S} s of processor time")

    before = signal.signal(signal.SIGPROF, hangs)
    signal.setitimer(signal.ITIMER_PROF, MOST_S)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except CotfaithError as error:
        if len(str(error)) <= 10:
            raise AssertionError("the message says nothing") from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
