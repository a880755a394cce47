"""Whole runs on imported chains: what the terminal and the report say first, and what they do not say.

Some take longer than a second: each makes a run, its estimates and its report.
"""

import json
import re

import polars as pl
import pytest
import yaml
from commands import in_process
from runs_here import copy_of, finish

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.plan.spec_file import load_spec
from cotfaith.cluster.report.choice import DRAWN, TOLD
from cotfaith.cluster.storage.read import load_run, read_tables
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.schemas.parquet import read_parquet

N = 20
EVIL = "<b>x</b>[red]y[/]\x1b[31m"
WRONG = {"A": "B", "B": "C", "C": "A"}
ESCAPE = '<span class="mark" title="no name">⟨U+001B⟩</span>'


def spec(*tasks, probes=("no_cot", "early_answering"), **more):
    models = [{"id": "good", "engine": "stub"}, {"id": "bad", "engine": "stub"}]
    return {"models": models, "tasks": list(tasks), "probes": list(probes), "output": {"path": "run"}} | more


def write(folder, answers):
    """Write chains, each with the answer of ``answers`` by id; chains without one have no recorded answer."""
    choices = ["this", "that", "other"]
    records = [
        {"id": f"i{at}", "question": f"Which is {at}?", "choices": choices, "gold": "ABC"[at % 3], "author": author}
        | {"cot": f"First, {at}. Then {at + 1}."}
        | ({"answer": answers[f"i{at}"]} if f"i{at}" in answers else {})
        for at, author in enumerate(["good"] * N + [EVIL] * N)
    ]
    (folder / "chains.jsonl").write_text("\n".join(map(json.dumps, records)))


def own(name, author):
    return {"name": f"by-{name}", "file": "chains.jsonl", "adapter": "chains", "author": author, "models": [name]}


SPEC = spec(own("good", "good"), own("bad", EVIL))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run in which ``good`` reaches all of the recorded answers and ``bad`` none; two of ``good``'s have none."""
    first, folder = (tmp_path_factory.mktemp(name) for name in ("first", "imported"))
    write(first, {})
    chains = read_tables(LocalStore(finish(first, SPEC) / "run"))["chains"]
    said = dict(chains.select("item_id", "answer").rows())
    recorded = {item: answer if int(item[1:]) < N else WRONG[answer] for item, answer in said.items()}
    write(folder, {item: answer for item, answer in recorded.items() if item not in ("i0", "i1")})
    return finish(folder, SPEC)


@pytest.fixture(scope="module")
def terminal(finished):
    """What ``aggregate`` prints."""
    done = in_process("aggregate", finished / "run")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def html(finished):
    return page(finished / "run")


def page(run):
    done = in_process("report", run)
    assert done.returncode == 0, done.stderr
    return re.sub(r"<script.*?</script>", "", (run / "report.html").read_text(), flags=re.DOTALL)


def test_the_terminal_says_it_first(terminal):
    out = terminal
    first, table = out.index("Imported chains: how often they lead"), out.index("Estimates, with 95% intervals")
    assert first < out.index("Withheld (chains: accuracy_cot") < table
    (line,) = [line for line in out.splitlines() if line.startswith("by-good")]
    assert "100.0%" in line
    assert "18 chains, 2" in line
    assert "by-bad, bad: 0.0% of 20 chains lead to their recorded answer (95% interval 0.0% to 16.7%)" in out
    assert "by-bad, bad: Read by bad, written by <b>x</b>[red]y[/]" in out
    assert "\x1b" not in out
    summary = out[table:].partition("Models compared")[0].splitlines()
    (row,) = [line for line in summary if line.startswith("bad")]
    assert row.count("withheld") == 3
    (row,) = [line for line in summary if line.startswith("good")]
    assert "withheld" not in row


def test_the_report_says_it_before_anything_else(html):
    agreement = html.index("reach their recorded answers?")
    assert agreement < html.index("Each model and task") < html.index('<dl class="facts">')
    assert html.index("<b>Withheld</b> (chains: accuracy_cot") < html.index('<dl class="facts">')
    assert "<b>100.0% (81.6% to 100.0%)</b>" in html
    assert "18 chains, 2 without a recorded answer" in html
    assert "written by &lt;b&gt;x&lt;/b&gt;[red]y[/]" in html
    assert "<b>x</b>" not in html
    assert "<small>withheld</small>" in html


def test_the_chains_to_read_name_their_author_and_recorded_answer(html):
    found = re.findall(r"Imported, written by <b>(.*?)</b> · recorded answer <b>(A|B|C|none)</b> · Gold", html)
    assert {author for author, _ in found} == {"good", f"&lt;b&gt;x&lt;/b&gt;[red]y[/]{ESCAPE}[31m"}
    assert len(found) == TOLD + DRAWN


def test_the_estimates_say_what_is_withheld(finished, terminal):
    table = read_parquet((finished / "run" / "estimates.parquet").read_bytes())
    rows = pl.from_arrow(table)
    withheld = rows.filter(pl.col("withheld").is_not_null())
    assert withheld["model"].unique().to_list() == ["bad"]
    assert withheld["value"].is_null().all()
    alone = pl.col("metric").str.starts_with("standardised_")  # there is no other model on its task
    assert withheld.filter(~alone)["n_total"].min() > 0
    assert {"accuracy_cot", "aoc", "cot_gain"} <= set(withheld["metric"])
    own_rows = rows.filter(model="good").select("metric", "method", "position").unique()
    others = rows.filter(model="bad").select("metric", "method", "position").unique()
    assert not own_rows.filter(pl.col("method") != "good").join(others, on=["metric"], how="anti").height


def test_another_level_needs_no_row_anew(finished, tmp_path, monkeypatch):
    run = copy_of(finished, tmp_path / "copy", monkeypatch)
    before = sorted(path.name for path in run.rglob("*.json"))
    content = SPEC | {"output": {"path": "run", "min_agreement": 0}}
    (run.parent / "spec.yaml").write_text(yaml.safe_dump(content))
    assert execute(load_spec(run.parent / "spec.yaml")) == []
    assert sorted(path.name for path in run.rglob("*.json")) == before
    assert load_run(LocalStore(run)).spec.min_agreement == 0
    out = in_process("aggregate", run).stdout
    assert "withheld" not in out.lower()
    assert "by-bad" in out


def facts_of(html):
    facts = re.search(r'<dl class="facts">(.*?)</dl>', html, re.DOTALL).group(1)
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", facts))


class TestSampling:
    def facts(self, folder, content):
        write(folder, {})
        html = page(finish(folder, content) / "run")
        unknown = "None of its 20 imported chains has a recorded answer, so it is not known"
        assert html.index(unknown) < html.index('<dl class="facts">')
        assert "<b>Withheld</b>" not in html
        return facts_of(html)

    def test_imported_chains_have_no_settings_of_ours(self, html):
        facts = facts_of(html)
        assert facts["Chains"] == "imported, not sampled: by-bad (20), by-good (20)"
        assert not [name for name in facts if "Sampling" in name]
        assert facts["Tasks"].startswith("by-good (up to 100 items; chains by good; answered by good), by-bad")

    def test_continuations_have(self, tmp_path):
        content = SPEC | {"tasks": SPEC["tasks"][:1], "probes": ["adding_mistakes"], "editor": {"by": "rules"}}
        facts = self.facts(tmp_path, content)
        assert facts["Sampling of continuations"] == "temperature 0.8, top p 0.95, max tokens 512"

    def test_chains_of_its_own_have(self, tmp_path):
        both = spec(own("good", "good"), {"name": "ours", "generator": "addition", "n": 2}, probes=["no_cot"])
        facts = self.facts(tmp_path, both)
        assert facts["Chains"] == "imported, not sampled: by-good (20)"
        assert facts["Sampling of the others"].startswith("chains per item 1, temperature 0.8")
