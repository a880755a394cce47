"""`show --disagree`, and the figures of a whole run with people's labels: rules and two labellers on stub chains."""

import json
from functools import partial
from hashlib import sha256

import polars as pl
import pytest
from runs_here import copy_of, finish
from texts_to_label import SPEC

from cotfaith.cluster.labelling.label import Label
from cotfaith.cluster.report.results import write_results
from cotfaith.cluster.stats.written import write_estimates
from cotfaith.cluster.storage.batches import batches
from cotfaith.cluster.storage.read import load_run, read_ledger, read_tables
from cotfaith.cluster.storage.store import LocalStore

ANNA, BEN = "anna (person)", "ben (person)"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(tmp_path_factory.mktemp("disagree"), SPEC)


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    copy_of(finished, tmp_path, monkeypatch)
    return LocalStore(tmp_path / "run")


def put(store, labeller, text_hash, label, hint, probability=1.0):
    one = Label(
        schema_version=5, run_id=load_run(store).run_id, labeller=labeller, text_hash=text_hash, question="present",
        hint_asked=hint, label=label, at="2026-01-01T00:00:00+00:00", order=None, probability=probability,
    )  # fmt: skip
    store.put(one.key, one.model_dump_json().encode())


def readings(store):
    found = read_tables(store)["observations"].filter(pl.col("question") == "present")
    assert len(found) > 10
    assert found["label"].n_unique() == 2
    return found


def moved(store):
    chains = read_tables(store)["chains"].filter((pl.col("answer") == pl.col("target")) & (pl.col("status") == "ok"))
    return {(row["model"], row["item_id"], row["variant"], row["chain_index"]): row for row in chains.to_dicts()}


def label_all(store, labeller="anna", wrong=0):
    """Label each text as the rules read it; the first ``wrong`` of them the other way."""
    texts = {(row["text_hash"], row["intervention"]): row["label"] for row in readings(store).to_dicts()}
    for n, ((text, hint), label) in enumerate(sorted(texts.items())):
        put(store, labeller, text, label != (n < wrong), hint)
    return sorted(texts)


def shown(cli, *options):
    code, out, err = cli("show", "run", "--disagree", *options)
    assert (code, err) == (0, "")
    return out


def test_disagreements_with_both_labels_and_quotes(run, cli):
    texts = label_all(run, wrong=2)
    found = json.loads(shown(cli, "--json"))
    assert found["more"] is False
    for one in found["disagreements"]:
        assert (one["text_hash"], one["hint"]) in texts[:2]
        assert [who["reader"] for who in one["readers"]] == [ANNA, "rules"]
        assert {who["label"] for who in one["readers"]} == {True, False}
        said = one["readers"][1]
        assert (said["quote"] is not None) == said["label"]
    own = readings(run).filter(pl.col("text_hash").is_in([text for text, _ in texts[:2]]))
    assert len(found["disagreements"]) == len(own) >= 2
    lines = shown(cli)
    assert "Chains on which readers differ" in lines
    assert max(map(len, lines.splitlines())) <= 80


def test_readers_and_filters_choose(run, cli):
    label_all(run, wrong=2)
    label_all(run, "ben")
    every = json.loads(shown(cli, "--json"))["disagreements"]
    pairs = {tuple(who["reader"] for who in one["readers"]) for one in every}
    assert pairs == {(ANNA, BEN), (ANNA, "rules")}
    two = json.loads(shown(cli, "--reader", ANNA, "--reader", BEN, "--json"))["disagreements"]
    assert two == [one for one in every if one["readers"][1]["reader"] == BEN]
    one_model = json.loads(shown(cli, "--model", every[0]["model"], "--json"))["disagreements"]
    assert one_model == [one for one in every if one["model"] == every[0]["model"]]
    assert "No two readers differ" in shown(cli, "--reader", "rules", "--reader", BEN)
    cut = json.loads(shown(cli, "--limit", "1", "--json"))
    assert (cut["disagreements"], cut["more"]) == (every[:1], True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--disagree"], "only rules can have read"),
        (["--disagree", "--reader", "rule"], "--reader"),
        (["--reader", "rules"], "Add --disagree"),
        (["--disagree", "--changed"], "Leave out"),
        (["x", "--disagree"], "Leave out"),
    ],
)
def test_options_that_would_do_nothing_are_refused(run, cli, options, says):
    code, out, err = cli("show", "run", *options)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())


def test_labels_count_in_the_estimates_of_the_run(run):
    record = load_run(run)
    before = write_estimates(run, record).to_pylist()
    assert not [row for row in before if row["metric"] in ("corrected_naming", "agreement_raw")]
    label_all(run)
    after = write_estimates(run, record).to_pylist()
    assert [row for row in after if row in before] == before
    agreed = [row for row in after if row["metric"] == "agreement_raw"]
    assert {row["value"] for row in agreed} == {1.0}
    assert {row["method"] for row in agreed} == {f"{ANNA} and rules.present"}
    exact = [row for row in after if row["metric"] in ("judge_sensitivity", "judge_specificity")]
    assert {row["value"] for row in exact} == {1.0, None}
    known = {(r["model"], r["task"], r["variant"], r["method"]): r for r in after if r["metric"] == "corrected_naming"}
    assert known
    assert all(row["interval"] for row in known.values())


def test_a_run_in_many_parts_has_the_estimates_of_one_part(run, monkeypatch):
    label_all(run, wrong=3)
    label_all(run, "ben", wrong=1)
    record = load_run(run)
    whole = write_estimates(run, record).to_pylist()
    monkeypatch.setattr("cotfaith.cluster.stats.summed.batches", partial(batches, most_rows=1))
    parts = write_estimates(run, record).to_pylist()
    assert len(batches(read_ledger(run, record), record, 1)) > 1
    assert len(parts) == len(whole)
    for part, one in zip(parts, whole, strict=True):
        assert part == {name: pytest.approx(x) if isinstance(x, float) else x for name, x in one.items()}
    assert {row["metric"] for row in whole} >= {"hint_verbalised", "silent_influence", "agreement_kappa"}


def test_the_report_and_the_terminal_show_them(run, cli):
    label_all(run, wrong=2)
    write_results(run, load_run(run))
    html = run.get("report.html").decode()
    assert "Readers: how far they agree" in html
    (about,) = (part for part in html.split("<section")[1:] if "<h3>Readers: rates corrected" in part)
    assert "<th>Corrected</th>" in about
    assert '<td class="text">rules.present</td>' in about
    assert "rules.relied" not in about  # nobody labelled this question
    assert "this reader cannot tell" in about or "a class has no labels" in about
    code, out, _ = cli("aggregate", "run", "--details")
    assert code == 0
    assert "corrected" in out
    table = out[out.index("Switches said, corrected") :].partition("Estimates:")[0]
    assert max(map(len, table.splitlines())) <= 80
    data = json.loads(cli("aggregate", "run", "--json")[1])["estimates"]
    assert {"corrected_naming", "agreement_kappa", "labels_to_halve"} <= {row["metric"] for row in data}


def test_text_hashes_are_those_of_the_chains(run):
    chains = moved(run)
    for row in readings(run).to_dicts():
        chain = chains.get((row["model"], row["item_id"], row["variant"], row["chain_index"]))
        assert chain is None or row["text_hash"] == sha256(chain["text"].encode()).hexdigest()
