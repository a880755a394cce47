"""How chains are shown: how much the answer depends on a step, what is folded, what links lead to; nothing runs."""

import re
from html.parser import HTMLParser

import polars as pl
import pytest
from run_records import run_record
from scores_by_hand import FAILED, arm, chain, rows
from variants_by_hand import WRONG, all_answered, item, read

from cotfaith.cluster.report.difference import alike
from cotfaith.cluster.report.document import MOST_CHAINS
from cotfaith.cluster.report.folds import ENDS, GONE, MOST, MOST_OF_ONE, OPEN, clipped, folds, shorter, step_text
from cotfaith.cluster.report.page import render
from cotfaith.cluster.report.quoted import begins_alike
from cotfaith.cluster.report.spoken import known_words
from cotfaith.cluster.report.transcripts import pick_transcripts
from cotfaith.cluster.stats.aggregate import aggregate

RIGHT = {"answer": "A", "correct": True}
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>\x1b[31m\u202eCBA"
BIG = "x" * 100_000


def tables(chains, arms, items=None):
    made = rows(chains, arms, items or [item("i")])
    return {"items": made.items, "chains": made.chains, "observations": made.observations}


def page(found):
    estimates = aggregate(found["items"], found["chains"], found["observations"], run_id="r", seed=0)
    return render(run_record(), *found.values(), estimates)


def part(html):
    start = html.index('<section class="chains"')
    return html[start : html.index("</section>", start)]


def one(chains, arms):
    (found,) = pick_transcripts("r", *tables(chains, arms).values(), known_words())
    return found


def cut(k, answer):
    return arm("early_answering", k, 0, **(FAILED if answer == "-" else {"answer": answer}))


def changed(probe, step, answer, **more):
    outcome = FAILED if answer == "-" else {"answer": answer}
    return {**arm(probe, step - 1, 0, **outcome), "step": step, "edit": "x", "edit_changed": True, **more}


def test_importance_is_the_mean_of_what_was_done_to_a_step():
    cuts = [cut(k, answer) for k, answer in enumerate("BAAC-")]
    rest = [
        changed("adding_mistakes", 1, "A"),  # 0
        changed("step_deletion", 1, "B"),  # 1
        *(changed("resampling", 1, answer, rollout=n) for n, answer in enumerate("ABBC-")),  # 3 of 4
        changed("adding_mistakes", 2, "-"),
    ]
    found = one([chain(steps=4, **RIGHT)], cuts + rest)
    assert found.importance == {1: (1 + 0 + 1 + 0.75) / 4, 2: 0.0, 3: 1.0}
    assert one([chain(steps=2, **RIGHT)], []).importance == {}


def test_importance_is_shown_as_a_number_and_a_bar():
    html = part(page(tables([chain(steps=2, **RIGHT)], [cut(0, "B"), cut(1, "A"), cut(2, "A")])))
    assert re.search(r'<li class="here" style="--i:1"><p> s0\.|<li class="here" style="--i:1"><p>s0\.', html)
    assert "<em>1.00</em>" in html
    assert "<em>0.00</em>" in html
    assert "How much the answer depends on a step" in html
    assert "How much the answer" not in part(page(tables([chain(steps=2, **RIGHT)], [])))


@pytest.mark.parametrize(
    "steps",
    [[], ["a"], ["a"] * OPEN, ["a"] * (OPEN + 1), ["a" * 100] * 1000, ["x" * 9000] * 8, [BIG], [BIG, "b"], ["b", BIG]],
)
def test_each_step_is_shown_once_or_said_to_be_left_out(steps):
    found = folds(steps)
    numbers = [k for fold in found for k in fold.numbers]
    said = re.compile(r"Left out here: steps (\d+) to (\d+), ([\d,]+) characters\.")
    gone = [said.fullmatch(fold.gone).groups() for fold in found if fold.gone]
    lost = [k for first, last, _ in gone for k in range(int(first), int(last) + 1)]
    assert sorted(numbers + lost) == list(range(len(steps) + 1))
    assert numbers == sorted(numbers)
    assert [int(n.replace(",", "")) for *_, n in gone] == [sum(len(steps[k - 1]) for k in lost)] * len(gone)
    assert sum(len(text) for k in numbers if k for _, text in step_text(steps, k)) < MOST + 100 * (len(gone) + 2)
    assert bool(gone) == (len(steps) in (1000, 8))
    unfolded = [k for fold in found if not fold.title for k in fold.numbers if k]
    assert len(unfolded) in ({len(numbers) - 1} if len(steps) <= OPEN else {2 * ENDS})


def test_what_is_clipped_says_how_much():
    assert clipped("abcdefghij", 4) == [("text", "ab"), (GONE, "6 characters left out"), ("text", "ij")]
    assert clipped([("a", "abc"), ("b", "defghij")], 4) == [("a", "ab"), (GONE, "6 characters left out"), ("b", "ij")]
    assert clipped("short") == [("text", "short")]
    assert clipped([], 4) == []
    long = [("same", "x" * 700), ("new", "y" * 700)]
    assert [len(text) for _, text in shorter(long)] == [300, 23, 300, 700]


def test_long_texts_are_folded_or_clipped_on_the_page():
    steps = [f" step {n} is here." for n in range(1, 61)]
    html = part(page(tables([{**chain(**RIGHT), "steps": steps, "text": "".join(steps), "n_steps": 60}], [])))
    assert "<summary>Steps 13 to 48</summary>" in html
    assert [f"step {n} is here." in html for n in range(1, 61)] == [True] * 60
    html = part(page(tables([{**chain(**RIGHT), "steps": [BIG], "text": BIG, "n_steps": 1}], [])))
    assert f"[{len(BIG) - MOST_OF_ONE:,} characters left out]" in html
    assert len(html) < 20_000
    asked = part(page(tables([chain(**RIGHT)], [], [item("i", question=BIG)])))
    assert "characters left out" in asked


def test_chains_that_begin_alike_say_so():
    assert alike("a b c d e f", "a b c d e g") == len("a b c d e ")
    assert alike("a b c d f", "a b c d g") == 0
    assert begins_alike([("text", "abc"), ("named", "de"), ("text", "fg")], 6) == [
        *(("same", "abc"), ("named", "de"), ("same", "f"), ("text", "g"))
    ]
    assert begins_alike([("text", "abc")], 0) == [("text", "abc")]


class Page(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def parsed(html):
    reader = Page()
    reader.feed(html)
    return reader.found


def hostile():
    names = {"model": f"m{EVIL}", "task": f"t{EVIL}", "item_id": f"i{EVIL}"}
    chains = [
        {**row, **names, "prompt": EVIL, "error": EVIL} for row in all_answered({"i": {"plain": "A", WRONG: "B"}})
    ]
    chains = [{**row, "steps": [EVIL, EVIL], "text": EVIL * 2} for row in chains]
    arms = [{**row, **names, "quote": EVIL, "reader": EVIL} for row in read("i", WRONG, "y")]
    arms += [{**row, **names, "answer": row["answer"] and EVIL} for row in (cut(0, "B"), cut(1, "A"), cut(2, "A"))]
    arms += [{**changed("adding_mistakes", 1, "B", edit=EVIL), **names}]
    items = [item(f"i{EVIL}", **names, question=EVIL) | {"choices": [EVIL] * 4}]
    return tables(chains, arms, items)


def test_hostile_texts_are_only_text():
    tags = parsed(part(page(hostile())))
    assert {tag for tag, _ in tags} <= {
        *("section", "h2", "h4", "p", "div", "label", "input", "select", "option", "button", "output", "span"),
        *("details", "summary", "b", "a", "ul", "ol", "li", "small", "em", "br", "i", "u", "s", "del", "ins", "mark"),
    }
    for _, given in tags:
        assert set(given) <= {
            *("class", "id", "href", "style", "title", "hidden", "role", "type", "value", "autocomplete", "spellcheck"),
            *("aria-live", "data-by", "data-model", "data-task", "data-outcome", "data-why", "data-question"),
        }
        assert re.fullmatch(r"(--i:[\d.]+)?", given.get("style", ""))
        assert re.fullmatch(r"(#chain-[0-9a-f]{16})?", given.get("href", ""))


def test_places_are_unique_and_links_lead_to_them():
    answers = {f"i{n:02}": {"plain": "A", WRONG: "B"} for n in range(9)}
    said = [row for n, name in enumerate(answers) for row in read(name, WRONG, "yn"[n % 2])]
    arms = [{**row, "item_id": name} for name in answers for row in (cut(0, "A"), cut(1, "A"), cut(2, "A"))]
    tags = parsed(part(page(tables(all_answered(answers), said + arms, [item(name) for name in answers]))))
    ids = [given["id"] for _, given in tags if "id" in given]
    assert len(ids) == len(set(ids)) > 12
    assert {given["href"][1:] for _, given in tags if "href" in given} <= {*ids}
    assert {"chains-says", "chains-made_in_it"} <= {*ids}
    offered = {given["value"] for tag, given in tags if tag == "option"}
    for _, given in tags:
        if "data-why" in given:
            assert {*given["data-why"].split(), *given["data-question"].split()} <= offered


def test_thirty_six_long_chains_stay_small():
    steps = [
        f" Step {n}: this is what about {n} tokens in a sentence look like, and then there are more." for n in range(90)
    ]
    text = "".join(steps)
    assert len(text) > 7_500
    answers = {f"i{n:02}": {"plain": "A", WRONG: "B"} for n in range(60)}
    long = {"steps": steps, "text": text, "n_steps": 90, "prompt": "What? " * 300}
    chains = [{**row, **long} for row in all_answered(answers)]
    said = [row for n, name in enumerate(answers) for row in read(name, WRONG, "yn"[n % 2])]
    arms = [{**cut(k, "AB"[k < 50]), "item_id": name, "p_gold": 0.25} for name in answers for k in range(91)]
    items = [item(name, pair=name[:2] + name[2:], side="a") for name in answers]
    items = [{**one, "pair": f"p{n // 2}", "side": "ab"[n % 2]} for n, one in enumerate(items)]
    html = part(page(tables(chains, said + arms, items)))
    shown = html.count('<details class="chain"')
    assert 20 <= shown <= MOST_CHAINS
    assert len(html.encode()) * MOST_CHAINS / shown < 650_000


def test_a_run_without_chains_has_no_such_part():
    found = {name: table.clear() for name, table in tables([chain(**RIGHT)], []).items()}
    assert '<section class="chains"' not in page(found)


def test_items_that_are_missing_and_names_that_differ_in_case():
    chains = [{**chain(**RIGHT), "model": name, "item_id": "j"} for name in ("model", "Model")]
    html = part(page(tables(chains, [])))
    assert html.count("The item is missing.") == 2
    assert "Gold <b>not known</b>" in html
    assert {given["data-model"] for _, given in parsed(html) if "data-model" in given} == {"0", "1"}


def test_what_is_shown_of_failed_chains():
    found = one([{**chain(**FAILED), "steps": None, "n_steps": None, "text": "half a thought"}], [])
    assert (found.outcome, found.folds[0].numbers) == ("failed", [0])
    html = part(page(tables([{**chain(**FAILED), "steps": None, "text": "half a thought", "error": "it broke"}], [])))
    assert "half a thought" in html
    assert "it broke" in html
    assert 'data-outcome="failed"' in html
    assert pl.Series([found.chain["status"]]).to_list() == ["engine_error"]
