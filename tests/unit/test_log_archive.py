"""Inspect logs as archives: whole, within their limit and within themselves, before inspect_ai reads them."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from damage import clear_error_or_none, damaged, fuzz
from hypothesis import given

from cotfaith.schemas.errors import TaskError
from cotfaith.workers import limits
from cotfaith.workers.tasks.log_archive import check_archive

LOG = Path("log.eval")
TEXT = b'{"version": 2, "status": "success"}' * 40
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def archive(members=(("header.json", TEXT),), method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(LOG, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return LOG.read_bytes()


def refused(data, reason):
    LOG.write_bytes(data)
    with pytest.raises(TaskError, match=f"log.eval.*{reason}"):
        check_archive(LOG)


def at(data, signature, offset):
    """The place of a field of the first record with this signature."""
    return data.index(signature) + offset


def changed_at(data, place, new):
    return data[:place] + new + data[place + len(new) :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_whole_archives_pass_and_their_damage_does_not(method):
    data = archive(method=method)
    check_archive(LOG)
    refused(data[: len(data) // 2], "not a whole Inspect log")
    refused(b"", "not a whole Inspect log")
    refused(changed_at(data, at(data, LOCAL, 50), b"\xff\xff\xff\xff"), "not a whole Inspect log")


def test_a_checksum_that_is_wrong():
    data = archive()
    wrong = changed_at(data, at(data, CENTRAL, 16), b"\0\0\0\0")
    refused(wrong, "Bad CRC-32 for file 'header.json'")


@pytest.mark.parametrize("name", ["../x", "samples/../../x", "/etc/x", "a\\..\\..\\x"])
def test_names_that_lead_out(name):
    refused(archive([(name, b"{}")]), "leads out of the archive")


def test_a_name_with_dots_is_a_name():
    archive([("samples/.._epoch_1.json", b"{}"), ("samples/a..b_epoch_1.json", b"{}")])
    check_archive(LOG)


def test_what_unpacks_to_more_than_the_limit(monkeypatch):
    """Members of 64 MiB each, packed in a few kB, say what they are."""
    monkeypatch.setenv(limits.FILE, str(1 / 16))
    data = archive([(f"samples/{n}.json", b" " * 2**26) for n in range(2)])
    assert len(data) < 2**18
    refused(data, r"unpacks to 128.00 MiB; .*at most 64.00 MiB.*COTFAITH_MAX_FILE_GIB")


@pytest.mark.parametrize("size", [len(TEXT) - 1, 10, 0])
def test_a_size_that_is_a_lie_is_noticed(size):
    data = archive()
    for signature, offset in ((CENTRAL, 24), (LOCAL, 22)):
        data = changed_at(data, at(data, signature, offset), struct.pack("<I", size))
    refused(data, "not a whole Inspect log")


def test_a_size_that_is_huge(monkeypatch):
    data = archive()
    refused(changed_at(data, at(data, CENTRAL, 24), struct.pack("<I", 2**32 - 2)), r"unpacks to 4.00 GiB; .*2.00 GiB")


def test_what_cannot_be_unpacked_here():
    data = archive()
    refused(changed_at(data, at(data, CENTRAL, 8), b"\1\0"), "not a whole Inspect log.*(encrypted|differ)")
    refused(changed_at(data, at(data, CENTRAL, 10), b"\x63\0"), "not a whole Inspect log.*compression")


@fuzz
@given(damaged(b""))
def test_anything_is_checked_or_refused(noise):
    LOG.write_bytes(noise)
    with clear_error_or_none():
        check_archive(LOG)


def whole():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", TEXT)
        file.writestr("samples/1_epoch_1.json", TEXT)
    return sink.getvalue()


@fuzz
@given(damaged(whole()))
def test_a_damaged_archive_is_checked_or_refused(data):
    LOG.write_bytes(data)
    with clear_error_or_none():
        check_archive(LOG)
