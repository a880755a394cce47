"""Texts that name files: which are addresses, of what, and which are paths."""

import os
from pathlib import Path

import pytest

from cotfaith.schemas.errors import SpecError
from cotfaith.workers.remote.address import HubAddress, is_address, parse_address
from cotfaith.workers.remote.copies import Copy
from cotfaith.workers.remote.files import local_file
from cotfaith.workers.remote.names import nearest
from cotfaith.workers.remote.s3_url import S3Url

ADDRESSES = {
    "s3://bucket/a/b.csv": S3Url("bucket", "a/b.csv"),
    "s3://bucket/a/": S3Url("bucket", "a"),
    "hf://datasets/me/mine": HubAddress("me/mine", None, ""),
    "hf://datasets/me/mine/": HubAddress("me/mine", None, ""),
    "hf://datasets/me/mine/data/a@b.csv": HubAddress("me/mine", None, "data/a@b.csv"),
    "hf://datasets/me/mine@v1": HubAddress("me/mine", "v1", ""),
    "hf://datasets/me/mine@v1/a.csv": HubAddress("me/mine", "v1", "a.csv"),
    "hf://datasets/me/mine@refs/convert/parquet/d/a.parquet": HubAddress(
        "me/mine", "refs/convert/parquet", "d/a.parquet"
    ),
    "hf://datasets/me/mine@feature%2Fx/a.csv": HubAddress("me/mine", "feature/x", "a.csv"),
}
REFUSED = [
    "hf://datasets/mine",
    "hf://me/mine",
    "hf://datasets/a/b/../c",
    "hf://spaces/a/b/c",
    "HTTP://x/y",
    "file:///x",
]


@pytest.mark.parametrize(("text", "address"), ADDRESSES.items(), ids=ADDRESSES)
def test_an_address_is_read(text, address):
    assert parse_address(text, "here") == address
    assert is_address(text)


@pytest.mark.parametrize("text", ["a.csv", "/a/b.csv", "~/a.csv", "../a", "C:/a", "me/mine", "dir/a://b", "organism:x"])
def test_a_path_stays_a_path(text):
    assert parse_address(text, "here") is None
    assert not is_address(text)
    assert local_file(text, "here") == Path(text).expanduser()


@pytest.mark.parametrize("text", REFUSED)
def test_other_addresses_are_refused(text):
    with pytest.raises(SpecError, match=r"^here: .*hf://datasets/owner/name"):
        parse_address(text, "here")


def test_a_copy_opens_the_copy_and_is_named_by_its_address(tmp_path):
    (tmp_path / "a.csv.gz").write_text("content")
    copy = Copy.of(tmp_path / "a.csv.gz", "s3://bucket/a.csv.gz")
    assert f"{copy}" == "s3://bucket/a.csv.gz"
    assert copy.read_text() == copy.open().read() == "content"
    assert copy.is_file()
    assert copy.suffixes == [".csv", ".gz"]
    assert os.fspath(copy) == str(tmp_path / "a.csv.gz")
    assert copy != Copy.of(tmp_path / "b.csv.gz", "s3://bucket/a.csv.gz"), "another copy of the same address"
    assert copy == Copy.of(tmp_path / "a.csv.gz", "s3://bucket/a.csv.gz")


def test_a_missing_names_neighbours_are_few():
    assert nearest("file", "tset", ["test", "train"]) == (
        "There is no file 'tset'. Did you mean 'test'? There: test, train."
    )
    assert nearest("file", "x", [f"name-{n}" for n in range(20)]).endswith("name-11 and 8 more.")
    assert nearest("file", "x", []) == "There is no file 'x'. There: nothing."
