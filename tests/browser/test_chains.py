"""The chains to read in a real browser: search, filters, keys and links; and hostile texts do nothing there."""

import pytest
from run_records import run_record
from scores_by_hand import arm, rows
from variants_by_hand import WRONG, all_answered, item, read

from cotfaith.cluster.report.page import render
from cotfaith.cluster.stats.aggregate import aggregate

EVIL = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>\"'> javascript:alert(1)"
N = 12
STEPS = [" The mark is on the first.", " So the red kettle whistles.", " It is (B)."]


def html():
    """A page of one model and 12 items that a hint moves; half of the chains name it, and all have cuts."""
    answers = {f"i{n:02}": {"plain": "A", WRONG: "B"} for n in range(N)}
    texts = {"steps": STEPS, "text": "".join(STEPS), "n_steps": 3}
    chains = [{**row, **texts} for row in all_answered(answers)]
    long = [f" step number {n}." for n in range(1, 61)]
    chains[0] |= {"steps": long, "text": "".join(long), "n_steps": 60}
    said = [row for n, name in enumerate(answers) for row in read(name, WRONG, "yn"[n % 2])]
    cuts = [
        {**arm("early_answering", k, 0, answer="AB"[k < n % 3]), "item_id": name}
        for n, name in enumerate(answers)
        for k in range(4)
    ]
    items = [item(name, question=f"{EVIL} Which is {name}?") for name in answers]
    found = rows(chains, said + cuts, items)
    tables = found.items, found.chains, found.observations
    return render(run_record(), *tables, aggregate(*tables, run_id="r", seed=0))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    made = tmp_path_factory.mktemp("page") / "report.html"
    made.write_text(html(), encoding="utf-8")
    return made


@pytest.fixture
def page(chromium, file):
    """The page, just opened; afterwards its console must be clean, and no text may have run or asked for anything."""
    opened = chromium.open(file)
    yield opened.page
    assert (opened.said, opened.asked, opened.page.evaluate("window.hacked")) == ([], [], None)
    opened.page.context.close()


def shown(page):
    """The chains that are shown, as the texts of their lines."""
    return page.locator(".chains details.chain:visible > summary").all_inner_texts()


def choose(page, by, value):
    page.locator(f".pick select[data-by={by}]").select_option(value)


def focused(page):
    return page.evaluate("document.activeElement.closest('details.chain')?.id ?? ''")


def test_filters_and_search_hide_what_does_not_fit(page):
    every = shown(page)
    assert len(every) > N
    assert page.locator(".pick output").inner_text() == f"{len(every)} of {len(every)} chains"
    choose(page, "why", "unnamed")
    silent = shown(page)
    assert 0 < len(silent) < len(every)
    assert all("used the hint and did not say so" in line for line in silent)
    choose(page, "outcome", "right")
    assert shown(page) == []
    assert page.get_by_text("No chain shown here fits.").is_visible()
    page.get_by_role("button", name="Show all").click()
    assert shown(page) == every
    page.get_by_role("searchbox").fill("RED KETTLE")
    assert 0 < len(shown(page)) <= len(every)
    assert all(
        "match" in page.locator(f"#{one}").locator("summary").first.get_attribute("data-hits") for one in ids(page)
    )
    page.get_by_role("searchbox").fill("(B)")
    assert page.locator(".chains mark.hit").first.text_content() == "(B)"
    page.get_by_role("searchbox").fill("nothing has these words")
    assert shown(page) == []
    page.get_by_role("searchbox").press("Escape")
    assert shown(page) == every
    assert page.locator(".chains mark.hit").count() == 0


def ids(page):
    return page.locator(".chains details.chain:visible").evaluate_all("found => found.map(one => one.id)")


def test_a_search_leaves_the_texts_as_they_were(page):
    before = page.locator(".chains").evaluate("one => one.querySelector('.none').previousElementSibling.outerHTML")
    for words in ("is", "<script>", ".*", "i", "e"):
        page.get_by_role("searchbox").fill(words)
    assert page.locator(".chains mark.hit").count() > 0
    page.get_by_role("searchbox").fill("red kettle")
    assert {*page.locator(".chains mark.hit").all_text_contents()} == {"red kettle"}
    page.get_by_role("searchbox").fill("")
    after = page.locator(".chains").evaluate("one => one.querySelector('.none').previousElementSibling.outerHTML")
    assert before == after


def test_a_hit_in_a_folded_step_unfolds_it(page):
    page.get_by_role("searchbox").fill("step number 30.")
    chain = page.locator(".chains details.chain:visible:has(.fold)")
    chain.locator("summary").first.click()
    assert chain.locator("mark.hit").is_visible()
    assert chain.locator("mark.hit").text_content() == "step number 30."


def test_keys_move_open_and_search(page):
    first, second, third = ids(page)[:3]
    page.locator(f"#{first} > summary").focus()
    page.keyboard.press("j")
    assert focused(page) == second
    page.keyboard.press("ArrowDown")
    assert focused(page) == third
    page.keyboard.press("k")
    assert focused(page) == second
    page.keyboard.press("Enter")
    assert page.locator(f"#{second}").evaluate("one => one.open")
    page.keyboard.press("Enter")
    assert not page.locator(f"#{second}").evaluate("one => one.open")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert focused(page) == first
    page.keyboard.press("/")
    page.keyboard.type("jk")
    assert page.get_by_role("searchbox").input_value() == "jk"
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").press("Enter")
    assert focused(page) == first


def test_links_open_their_chain_and_questions_filter(page, file):
    last = ids(page)[-1]
    choose(page, "why", "unnamed")
    page.goto(f"{file.as_uri()}#{last}")
    assert page.locator(f"#{last}").evaluate("one => one.open && !one.hidden")
    assert focused(page) == last
    page.goto(f"{file.as_uri()}#chains-says")
    assert page.locator(".pick select[data-by=question]").input_value() == "says"
    lines = shown(page)
    assert lines
    assert all("used the hint" in line for line in lines)
    page.goto(f"{file.as_uri()}#chains-nothing")
    assert len(shown(page)) > len(lines)
    page.goto(f"{file.as_uri()}#%E0%A4%A")
    assert len(shown(page)) > len(lines)


def test_the_page_s_parts_and_details_lead_to_their_evidence(page):
    page.locator("#part-says .counts").get_by_role("link", name="Chains that are evidence").click()
    assert page.locator(".pick select[data-by=question]").input_value() == "says"
    page.locator("#details details.cell > summary").first.click()
    link = page.locator("#details .why").get_by_role("link", name="used the hint and did not say so").first
    place = link.get_attribute("href")[1:]
    link.click()
    assert page.locator(f"#{place}").evaluate("one => one.open && !one.hidden")
    assert "used the hint and did not say so" in page.locator(f"#{place} > summary").inner_text()


def test_a_link_is_followed_when_the_page_opens(chromium, file, page):
    last = ids(page)[-1]
    other = chromium.open(file, at=last).page
    assert other.locator(f"#{last}").evaluate("one => one.open")
    other.context.close()


def test_without_scripts_all_chains_are_there(chromium, file):
    opened = chromium.open(file, scripts=False).page
    assert opened.locator(".chains details.chain > summary:visible").count() > N
    assert not opened.locator(".pick").is_visible()
    opened.context.close()


@pytest.mark.parametrize("width", [360, 420, 1200])
def test_nothing_is_wider_than_the_page(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('.chains details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.querySelector('.chains').scrollWidth") <= width
