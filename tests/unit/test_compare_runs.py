"""`cotfaith compare` on whole runs of stubs: before and after, two models of one run, and what is refused.

Terms that differ are tested on records of runs, without rows.
"""

import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from commands import in_process
from runs_here import finish

from cotfaith.cluster.stats.multiplicity import holm
from cotfaith.cluster.storage.ledger import Ledger
from cotfaith.cluster.storage.read import load_run, read_ledger
from cotfaith.cluster.storage.store import LocalStore
from cotfaith.cluster.verdicts.comparing.item_sums import ItemSums
from cotfaith.cluster.verdicts.comparing.side import Run, Side
from cotfaith.cluster.verdicts.comparing.terms import terms
from cotfaith.cluster.verdicts.comparing.withholding import rests_on_answers, withheld
from cotfaith.schemas.errors import InputError

BEFORE = {
    "seed": 3,
    "models": [{"id": "base", "engine": "stub", "options": {"max_steps": 3, "follows_hints": 0.2, "names_hints": 1.0}}],
    "tasks": [{"name": "tracking", "generator": "tracking_objects", "n": 30}],
    "interventions": [{"name": "hint_sycophancy", "arms": ["wrong", "neutral"]}],
    "probes": ["no_cot", "verbalises"],
    "resources": {"shard_size": 10},
    "output": {"path": "run", "max_failed_share": 1.0},
}
SILENT = {"id": "tuned", "engine": "stub", "options": {"max_steps": 3, "follows_hints": 0.9, "names_hints": 0.0}}
AFTER = BEFORE | {"models": [SILENT], "resources": {"shard_size": 30}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of runs by name; ``both`` has both models."""
    specs = {"before": BEFORE, "after": AFTER, "both": BEFORE | {"models": [*BEFORE["models"], SILENT]}}
    return {name: finish(tmp_path_factory.mktemp(name), spec) / "run" for name, spec in specs.items()}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Runs on files of questions: ``four``; ``one``, its first item; ``other``, whose third item asks otherwise."""
    folder, found = tmp_path_factory.mktemp("files"), {}
    for name, n, third in (("four", 4, "Which?"), ("one", 1, "Which?"), ("other", 4, "Which one?")):
        rows = [
            {"id": f"i{k}", "question": third if k == 2 else f"{k}?", "choices": ["x", "y"], "gold": 0}
            for k in range(n)
        ]
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        fields = {"id": "id", "question": "question", "choices": "choices", "gold": "gold"}
        spec = BEFORE | {"tasks": [{"name": "t", "file": str(file), "fields": fields}], "interventions": []}
        found[name] = finish(tmp_path_factory.mktemp(name), spec | {"probes": []}) / "run"
    return found


@functools.cache
def compared(*arguments):
    done = in_process("compare", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["comparisons"]


def refused(*arguments):
    done = in_process("compare", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    return " ".join(done.stderr.split())


def figure(comparison, metric, variant="plain", method=None):
    (found,) = [
        one
        for one in comparison["figures"]
        if (one["metric"], one["variant"], one["method"]) == (metric, variant, method)
    ]
    return found


def estimate(run, metric, variant="plain", method=None):
    rows = json.loads(in_process("aggregate", run, "--json").stdout)["estimates"]
    (found,) = [
        row["value"] for row in rows if (row["metric"], row["variant"], row["method"]) == (metric, variant, method)
    ]
    return found


def test_before_and_after(runs):
    (found,) = compared(runs["before"], runs["after"])
    assert (found["before"]["model"], found["after"]["model"]) == ("base", "tuned")
    assert found["tasks"] == [{"task": "tracking", "items_before": 30, "items_after": 30, "items": 30, "chains": 90}]
    silent = figure(found, "silent_influence", "hint_sycophancy.wrong", "rules.present")
    assert silent["difference"] == pytest.approx(silent["after"] - silent["before"])
    assert silent["difference"] > 0.3
    assert silent["ci_low"] > 0
    assert silent["p_value"] < 0.05 < silent["p_holm"]
    kinds = [one["kind"] for one in found["flips"]]
    assert kinds.count("resists_to_follows") > kinds.count("follows_to_resists")
    assert found["warnings"] == [
        'The models differ in options: {"follows_hints": 0.2, "max_steps": 3, "names_hints": 1.0}, and '
        '{"follows_hints": 0.9, "max_steps": 3, "names_hints": 0.0}.'
    ]


def test_values_are_those_of_the_runs_own_estimates(runs):
    """Every item has one chain, and all of them are ok, so that both rest on the same."""
    (found,) = compared(runs["before"], runs["after"], "--metric", "accuracy_cot", "--metric", "switch_to_target/cot")
    both = figure(found, "accuracy_cot")
    assert both["n_items"] == 30
    assert both["before"] == pytest.approx(estimate(runs["before"], "accuracy_cot", method="paired"))
    assert both["after"] == pytest.approx(estimate(runs["after"], "accuracy_cot", method="paired"))
    assert {one["metric"] for one in found["figures"]} == {"accuracy_cot", "switch_to_target"}


def test_flips_agree_with_the_difference_in_accuracy(runs):
    (found,) = compared(runs["before"], runs["after"])
    kinds = [one["kind"] for one in found["flips"]]
    gained = kinds.count("wrong_to_right") - kinds.count("right_to_wrong")
    assert figure(found, "accuracy_cot")["difference"] == pytest.approx(gained / 30)
    for one in found["flips"]:
        if one["kind"] == "wrong_to_right":
            assert one["after"] == one["gold"] != one["before"]
        if one["kind"] == "resists_to_follows":
            assert one["after"] == one["target"] != one["before"]


def test_a_run_and_its_copy(runs, tmp_path):
    shutil.copytree(runs["before"], tmp_path / "copy")
    (found,) = compared(runs["before"], tmp_path / "copy")
    assert len(found["figures"]) > 5
    assert {one["difference"] for one in found["figures"]} == {0.0}
    assert {one["p_holm"] for one in found["figures"]} == {1.0}
    assert (found["flips"], found["warnings"]) == ([], [])
    assert all(one["items"] == one["of"] == 30 for one in found["matched"])
    assert len(found["matched"]) == 1


def test_the_other_way_round_all_signs_change(runs):
    (ahead,), (back,) = compared(runs["before"], runs["after"]), compared(runs["after"], runs["before"])
    for one, other in zip(ahead["figures"], back["figures"], strict=True):
        assert one["difference"] == pytest.approx(-other["difference"])
        assert (one["ci_low"], one["p_value"]) == (pytest.approx(-other["ci_high"]), pytest.approx(other["p_value"]))
    assert len(ahead["flips"]) == len(back["flips"]) > 0


def test_two_models_of_one_run_are_as_two_runs(runs):
    (one,), (two,) = compared(runs["both"], "--models", "base", "tuned"), compared(runs["before"], runs["after"])
    assert one["figures"] == two["figures"]
    assert one["flips"] == two["flips"]


def test_models_by_name(runs):
    (named,) = compared(runs["both"], runs["after"], "--model", "base:tuned")
    (plain,) = compared(runs["before"], runs["after"])
    assert named["figures"] == plain["figures"]
    assert [one["after"]["model"] for one in compared(runs["both"], runs["both"])] == ["base", "tuned"]
    (common,) = compared(runs["both"], runs["after"])
    assert common["before"]["model"] == "tuned"


def test_p_values_are_corrected_over_all_lines(runs):
    (found,) = compared(runs["before"], runs["after"])
    figures = found["figures"]
    assert [one["p_holm"] for one in figures] == holm([one["p_value"] for one in figures])


def test_parts_of_a_run_are_read_apart(runs, monkeypatch):
    (whole,) = compared(runs["before"], runs["after"])
    monkeypatch.setattr("cotfaith.cluster.verdicts.comparing.item_sums.BATCH_ROWS", 1)
    assert compared.__wrapped__(runs["before"], runs["after"]) == [whole]


def test_the_terminal(runs):
    done = in_process("compare", runs["before"], runs["after"], "--limit", 2, width=100)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert f"Before: base of {runs['before']}" in done.stdout.replace("\n", "")
    assert any(line.startswith("silent_influence/rules.present") for line in lines), done.stdout
    assert any("tracking · cot: after minus before" in line for line in lines)
    assert "did not follow the hint, now does" in done.stdout
    assert "more flips: --limit, or all with --json" in done.stdout
    assert "Matched skill:" in done.stdout


def test_a_narrow_terminal_cuts_no_number(runs):
    done = in_process("compare", runs["before"], runs["after"], width=80)
    assert max(map(len, done.stdout.splitlines())) <= 80 or str(runs["before"]) in done.stdout
    assert "…" not in done.stdout


def test_only_common_items_are_compared(small):
    (found,) = compared(small["four"], small["one"])
    assert found["tasks"] == [{"task": "t", "items_before": 4, "items_after": 1, "items": 1, "chains": 1}]
    own = figure(found, "accuracy_cot")
    assert (own["n_items"], own["difference"], own["ci_low"], own["p_value"]) == (1, 0.0, None, None)
    assert own["interval"] == "too_few_items"
    assert found["warnings"] == [
        "t: only the 1 items that both have are compared (4 and 1): the others have nothing beside them."
    ]


def test_the_same_ids_with_other_questions_are_refused(small):
    said = refused(small["four"], small["other"])
    assert "t: 1 of 4 items with the same id are not the same question in both runs, such as 'i2'" in said


def test_a_run_that_is_not_finished(runs, tmp_path):
    shutil.copytree(runs["before"], tmp_path / "part")
    shutil.rmtree(min(Path(tmp_path / "part" / "_commits" / "base" / "tracking").iterdir()))
    done = in_process("compare", runs["before"], tmp_path / "part", "--json", "--metric", "accuracy_cot")
    (found,) = json.loads(done.stdout)["comparisons"]
    assert found["tasks"][0]["items"] == 20
    assert figure(found, "accuracy_cot")["n_items"] == 20
    assert "Incomplete: 2 of 3 shards are done" in done.stderr


def test_an_empty_run(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    shutil.copy(runs["before"] / "run.json", tmp_path / "empty")
    assert f"{tmp_path / 'empty'}: nothing is committed yet" in refused(runs["before"], tmp_path / "empty")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name two runs"),
        (["{after}", "--models", "base", "tuned"], "and not both"),
        (["--models", "base", "base"], "'base' is named twice"),
        (["--models", "base", "tunde"], "Unknown model 'tunde'. Did you mean 'tuned'?"),
        (["{both}", "--model", "bas"], "Unknown model 'bas'. Did you mean 'base'?"),
        (["{both}", "--model", "base:"], "Unknown model ''"),
        (["--models", "base", "tuned", "--model", "base"], "leave it out"),
        (["{after}", "--task", "trackin"], "Unknown task 'trackin'. Did you mean 'tracking'?"),
        (["{after}", "--metric", "acc"], "Unknown metric 'acc'"),
        (["{after}", "--metric", "aoc/soff"], "Unknown method 'soff'. Did you mean 'soft'?"),
        (["{after}", "--metric", "hint_faithfulness"], "no difference item by item"),
        (["{after}", "--metric", "order_normalised"], "no difference item by item"),
        (["{after}", "--metric", "transfer_accuracy"], "have no figure in common on tracking"),
        (["nowhere"], "there is no run here"),
    ],
)
def test_what_is_refused(runs, arguments, said):
    assert said in refused(runs["both"], *(one.format(**runs) for one in arguments))


@pytest.fixture
def pair(runs):
    """A function that returns two sides: the run before, and the same run with another record."""
    store = LocalStore(runs["before"])
    record = load_run(store)
    ledger = read_ledger(store, record)

    def made(model=None, **changes):
        of_run = {name: changes.pop(name) for name in ("max_tokens", "cotfaith_version", "run_id") if name in changes}
        own = record.model_copy(update={"identity": record.identity.model_copy(update=changes), **of_run})
        shards = {shard._replace(model=model or shard.model): log for shard, log in ledger.logs.items()}
        a, b = Run("a", store, record, ledger), Run("b", store, own, Ledger(shards))
        return Side(a, "base"), Side(b, model or "base")

    return made


def test_the_same_terms(pair):
    found = terms(pair())
    assert (found.tasks, found.strategies, found.warnings) == (("tracking",), ("cot",), ())
    assert found.admits("tracking", "no_cot", "hint_sycophancy.wrong")


@pytest.mark.parametrize(
    ("part", "key", "value", "said"),
    [
        ("seed", None, 4, "seed: 3, and 4; it decides which items"),
        ("sampling", "temperature", 0.1, "sampling.temperature: 0.8, and 0.1; chains of other"),
        ("prompts", "cot", "Think:", 'prompts.cot: "Let\'s think step by step:", and "Think:"; other prompts'),
        ("steps", "unit", "line", 'steps.unit: "sentence", and "line"'),
        ("steps", "new", 1, "steps.new: null, and 1"),
        ("tasks", "tracking", {"answer_by": "generate"}, 'tasks.tracking.answer_by: "auto", and "generate"'),
        ("strategies", "cot", "abc", 'prompts of cot: null, and "abc"'),
    ],
)
def test_other_terms_are_refused(pair, part, key, value, said):
    own = getattr(pair()[0].run.record.identity, part)
    with pytest.raises(InputError, match="base of a and base of b were not measured on the same terms") as error:
        terms(pair(**{part: value if key is None else own | {key: value}}))
    assert said in str(error.value)


def test_all_that_differs_is_named_at_once(pair):
    with pytest.raises(InputError) as error:
        terms(pair(seed=9, steps={}))
    assert [line.split(":")[0] for line in str(error.value).splitlines()[1:-1]] == [
        "  seed",
        "  steps.unit",
    ]


def test_nothing_in_common(pair, runs):
    with pytest.raises(InputError, match="have no strategy in common: cot; factored"):
        terms(pair(strategies={"factored": None}))
    a, b = pair()
    other = Ledger({shard._replace(task="sums"): log for shard, log in b.run.ledger.logs.items()})
    with pytest.raises(InputError, match="have no task in common: tracking; sums"):
        terms((a, Side(replace(b.run, ledger=other), "base")))


def test_what_is_set_otherwise_is_left_out(pair):
    found = terms(pair(probes={"no_cot": {"new": 1}, "verbalises": {}}))
    assert found.warnings == ("The probe no_cot has other settings in the two runs: its figures are left out.",)
    assert not found.admits("tracking", "no_cot", "plain")
    assert found.admits("tracking", None, "plain")
    found = terms(pair(interventions={"hint_sycophancy of tracking": {"options": {}}}))
    assert found.warnings == (
        "The intervention hint_sycophancy of tracking has other settings in the two runs: its variants are left out.",
    )
    assert not found.admits("tracking", "verbalises", "hint_sycophancy.wrong")
    assert found.admits("tracking", "verbalises", "plain")
    assert found.admits("sums", None, "hint_sycophancy.wrong")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_tokens": 900}, "Chains may have 512 and 900 tokens"),
        ({"cotfaith_version": "9.9"}, "and 9.9, which may read answers in other ways"),
        ({"probes": {"no_cot": {}}}, "Only one of the runs has the probes verbalises: left out."),
        ({"chat_templates": {"base": "x"}}, "other chat templates"),
        ({"models": {"base": {"dtype": "auto"}}}, 'The models differ in dtype: "float32", and "auto".'),
    ],
)
def test_what_may_differ_is_a_warning(pair, changes, said):
    assert said in " ".join(terms(pair(run_id="other", **changes)).warnings)


def test_other_editors_are_a_warning(pair):
    """Each run names who edits the chains of its own model."""
    a, b = pair(model="tuned", editors={"adding_mistakes of tuned": {"by": "x"}})
    had = a.run.record.identity.model_copy(
        update={"editors": {"adding_mistakes of base": {"by": "y"}}, "probes": {"adding_mistakes": {}}}
    )
    a = replace(a, run=replace(a.run, record=a.run.record.model_copy(update={"identity": had})))
    said = "In adding_mistakes, the mistakes and paraphrases are written by others: a difference can come from them."
    assert said in terms((a, b)).warnings


AGREEMENT = ("cot", "plain", "", None, "recorded_agreement", None)


def agreeing(n, of):
    """Return sums in which ``n`` of ``of`` chains lead to their recorded answer."""
    rows = [(f"i{k}", float(k < n), 1.0) for k in range(of)]
    return ItemSums({AGREEMENT: pl.DataFrame(rows, schema=["item_id", "num", "den"], orient="row")})


def test_figures_on_chains_that_do_not_lead_to_their_recorded_answers_are_withheld(pair):
    """The limit of a run is 0.8, at the lower end of the interval."""
    side, _ = pair()
    assert withheld(side, agreeing(100, 100)) == {}
    assert withheld(side, ItemSums()) == {}
    (reason,) = withheld(side, agreeing(50, 100)).values()
    assert reason.startswith("50.0% of 100 chains lead to their recorded answer (95% interval")
    assert list(withheld(side, agreeing(50, 100))) == [("cot", "plain", "")]
    assert rests_on_answers(("cot", "plain", "", None, "accuracy_cot", None))
    assert not rests_on_answers(("cot", "plain", "", "no_cot", "accuracy_no_cot", None))


def test_withheld_figures_and_flips_are_left_out(runs, monkeypatch):
    cell = {("cot", "plain", ""): "they lead elsewhere."}
    monkeypatch.setattr("cotfaith.cluster.verdicts.comparing.one_task.withheld", lambda *_: cell)
    (found,) = compared.__wrapped__(runs["before"], runs["after"])
    plain = {one["metric"] for one in found["figures"] if one["variant"] == "plain"}
    assert "accuracy_no_cot" in plain
    assert "accuracy_cot" not in plain
    assert {one["variant"] for one in found["flips"]} == {"hint_sycophancy.wrong"}
    assert "tracking, cot · plain: figures on what the chains do to the answer are withheld: they lead" in str(found)


def test_items_that_are_counts_are_refused(runs, monkeypatch):
    monkeypatch.setattr("cotfaith.cluster.verdicts.comparing.item_sums.has_weights", lambda _: True)
    assert "The items of this run are counts that others published" in refused(runs["before"], runs["after"])
