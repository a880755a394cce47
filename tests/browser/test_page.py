"""The report in a real browser: filters, search, folds, keyboard, printing, narrow and dark windows, hostile texts."""

import re

import pytest
from first_screens import kinds, many, page_of
from report_rows import EVIL, tables
from run_records import run_record

from cotfaith.cluster.report.packed import packed
from cotfaith.cluster.report.page import render
from cotfaith.cluster.stats.aggregate import aggregate

HOSTILE = f'{EVIL} "onload=alert(2)" \'><img src=x onerror=alert(3)><svg onload=alert(4)> </template></details>'


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A page of 600 lines."""
    file = tmp_path_factory.mktemp("large") / "report.html"
    file.write_text(page_of(many()))
    return file


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    file = tmp_path_factory.mktemp("small") / "report.html"
    file.write_text(page_of(kinds()))
    return file


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A page whose models, tasks, items, questions and chains try to run."""
    rows = tables(models=(f"m{HOSTILE}", "n"), tasks=(f"t{HOSTILE}",), evil=HOSTILE)
    file = tmp_path_factory.mktemp("hostile") / "report.html"
    file.write_text(render(run_record(), *rows, aggregate(*rows, run_id="r1", seed=0)))
    return file


ROWS = "#answers tbody tr"


def test_the_matrix_folds_and_more_opens_it(chromium, large):
    opened = chromium.open(large)
    assert len(opened.words(ROWS)) == 12
    opened.page.locator(".more-lines").click()
    assert opened.page.locator(f"{ROWS}:visible").count() == 600
    assert (opened.said, opened.asked) == ([], [])


def test_search_and_filters_by_word(chromium, large):
    opened = chromium.open(large)
    opened.page.get_by_label("Model or task").fill("example-07")
    assert opened.page.locator("#filters output").inner_text() == "30 of 600"
    opened.page.get_by_label("says what moved it?").select_option("NO")
    found = opened.words(ROWS)
    assert len(found) == 6
    assert all("Example-07" in text and "NO .90" in text for text in found)
    opened.page.get_by_role("button", name="All").click()
    opened.page.locator("#filters output:empty").wait_for(state="attached")
    opened.page.get_by_label("Verdict").select_option("trust")
    assert opened.page.locator("#filters output").inner_text() == "120 of 600"


def test_a_link_opens_the_folds_that_hold_its_target(chromium, large):
    opened = chromium.open(large, at="cell-599")
    target = opened.page.locator("#cell-599")
    assert target.is_visible()
    assert target.get_attribute("open") is not None
    assert "nothing to catch" in target.inner_text()
    assert opened.said == []


def test_the_keyboard_opens_a_fold(chromium, small):
    opened = chromium.open(small)
    rule = opened.page.locator("details.rules")
    assert not rule.locator("dl").first.is_visible()
    rule.locator("summary").focus()
    opened.page.keyboard.press("Enter")
    rule.locator("dl").first.wait_for(state="visible")
    opened.page.locator("#answers a[href='#cell-0']").focus()
    opened.page.keyboard.press("Enter")
    opened.page.locator("#cell-0 dl").wait_for(state="visible")


def test_printing_opens_folds_and_closes_them_again(chromium, small):
    opened = chromium.open(small, width=794)  # A4
    opened.page.emulate_media(media="print")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("details:not([open])").count() == 0
    assert opened.overflow() <= 0
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("details[open]").count() == 0


@pytest.mark.parametrize("name", ["large", "small", "hostile"])
def test_nothing_is_wider_than_a_phone(chromium, request, name):
    opened = chromium.open(request.getfixturevalue(name), width=420)
    assert opened.overflow() <= 0
    opened.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert opened.overflow() <= 0


def test_hostile_names_and_chains_do_nothing(chromium, hostile):
    opened = chromium.open(hostile)
    for _ in range(3):  # folds within folds
        opened.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    opened.page.wait_for_timeout(50)
    assert (opened.said, opened.asked) == ([], [])
    assert opened.page.locator("img, iframe, [onload], [onerror]").count() == 0
    assert any(name.startswith("m<script>alert(1)</script>") for name in opened.words("#answers tbody th a"))


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(chromium, small, scheme):
    opened = chromium.open(small, scheme=scheme)
    seen = opened.page.evaluate(
        """[...document.querySelectorAll('#answers td b')].map(one => {
            const ground = at => getComputedStyle(at).backgroundColor; let at = one;
            while (/, 0\\)$|transparent/.test(ground(at))) at = at.parentElement;
            return [one.textContent, getComputedStyle(one).color, ground(at)]; })"""
    )
    assert {word for word, _, _ in seen} >= {"yes", "NO", "can't tell", "not tested", "nothing to catch"}
    for word, text, ground in seen:
        dark, light = sorted((luminance(text), luminance(ground)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (word, text, ground)


@pytest.fixture(scope="module")
def compressed(large, tmp_path_factory):
    """The page of 600 lines with its folds packed."""
    file = tmp_path_factory.mktemp("compressed") / "report.html"
    file.write_text(packed(large.read_text(), large=0))
    return file


def test_packed_folds_hold_the_same(chromium, large, compressed):
    texts = []
    for page in (large, compressed):
        opened = chromium.open(page)
        for _ in range(4):  # folds within folds
            opened.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            opened.page.wait_for_timeout(300)
        opened.page.locator("template").first.wait_for(state="detached")
        texts.append(opened.page.locator("main").inner_text())
        assert (opened.said, opened.asked) == ([], [])
    assert texts[0] == texts[1]


def test_a_link_leads_into_packed_folds(chromium, compressed):
    opened = chromium.open(compressed, at="cell-599")
    target = opened.page.locator("#cell-599")
    target.wait_for(state="visible")
    target.locator("dl").first.wait_for(state="visible")
    assert "nothing to catch" in target.inner_text()
    opened = chromium.open(compressed, at="nowhere")
    opened.page.locator("#details template").first.wait_for(state="detached")
    assert (opened.said, opened.asked) == ([], [])
