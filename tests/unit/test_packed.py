"""Packed folds: what a browser unpacks is what was there, and nothing else of the page changes."""

import re
import zlib
from base64 import b64decode

import pytest
from first_screens import many, page_of

from cotfaith.cluster.report.packed import packed

HELD = re.compile(r'<template data-packed="([A-Za-z0-9+/=]*)"></template>')


def unpacked(page):
    return HELD.sub(lambda held: f"<template>{zlib.decompress(b64decode(held[1])).decode()}</template>", page)


@pytest.mark.parametrize(
    "page",
    [
        f"<p>a</p><template>{'long é ' * 200}</template><p>b</p>",
        f"<template>{'x' * 600}<template>in it</template>{'y' * 600}</template><template>{'z' * 900}</template>",
        "<template>short</template>" * 3,
        f"&lt;template&gt;<i>{'t' * 900}</i>&lt;/template&gt;",
        "nothing",
        "",
    ],
)
def test_nothing_is_lost(page):
    assert unpacked(packed(page, large=-1)) == page
    assert packed(page) == page


def test_a_template_in_a_template_is_packed_with_it():
    page = f"<template>{'x' * 600}<template>{'in' * 400}</template></template>"
    assert len(HELD.findall(packed(page, large=-1))) == 1


def test_a_page_of_600_lines_becomes_small():
    page = page_of(many())
    again = packed(page, large=0)
    assert len(HELD.findall(again)) > 10
    assert len(again) < len(page) / 2
    assert unpacked(again) == unpacked(page)
