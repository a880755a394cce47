"""``cotfaith import --paired``: records of an experiment that others ran become a run's folder."""

import csv
import gzip
import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from commands import in_process

from cotfaith.cluster.fleet.run import execute
from cotfaith.cluster.storage.read import load_run, open_run_store, read_tables
from cotfaith.cluster.storage.store import open_store
from cotfaith.schemas.errors import RunConflictError
from cotfaith.schemas.spec import parse_spec

ROW = {"item": "q1", "model": "m", "variant": "plain", "target": None, "prediction": "A", "gold": "B", "n_choices": 4}
WRONG = {"variant": "hint_metadata.wrong", "target": "C", "prediction": "C"}
CHAIN = {"chain": "First. Then."}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(*changes, base=ROW | CHAIN):
    return [base | change for change in changes]


def write(records, name="a.jsonl"):
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(records), name)
    elif name.endswith((".csv", ".tsv")):
        with Path(name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]), delimiter="\t" if name.endswith("tsv") else ",")
            writer.writeheader()
            writer.writerows(records)
    elif name.endswith(".json"):
        Path(name).write_text(json.dumps(records))
    else:
        text = "\n".join(map(json.dumps, records)).encode()
        Path(name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return name


def imported(records, *options, name="a.jsonl", mapping=None):
    """Import records, and return the tables and what was printed."""
    more = []
    if mapping is not None:
        Path("m.yaml").write_text(yaml.safe_dump(mapping))
        more = ["--mapping", "m.yaml"]
    done = in_process("import", "--paired", write(records, name), "--out", "run", *options, *more, width=1000)
    assert done.returncode == 0, done.stderr
    return read_tables(open_run_store("run")), done.stdout


def refused(records, *options, name="a.jsonl", mapping=None):
    """Import records, and return the message with which they are refused."""
    if mapping is not None:
        Path("m.yaml").write_text(yaml.safe_dump(mapping))
        options = (*options, "--mapping", "m.yaml")
    done = in_process("import", "--paired", write(records, name), "--out", "run", *options, width=1000)
    assert done.returncode == 2, done.stdout
    assert load_run(open_store("run")) is None
    return done.stderr


def column(table, name):
    return table[name].to_list()


class TestRows:
    @pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet", "a.jsonl.gz"])
    def test_every_kind_of_file_gives_the_same_rows(self, name):
        tables, _ = imported(rows({}, WRONG), name=name)
        chains = tables["chains"].sort("variant")
        assert column(chains, "variant") == ["hint_metadata.wrong", "plain"]
        assert column(chains, "intervention") == ["hint_metadata", None]
        assert column(chains, "target") == ["C", None]
        assert column(chains, "answer") == ["C", "A"]
        assert column(chains, "correct") == [False, False]
        assert column(chains, "n_steps") == [2, 2]
        assert column(tables["items"], "choices") == [["", "", "", ""]]

    def test_what_is_not_known_is_null(self):
        tables, _ = imported(rows({}, base={n: v for n, v in ROW.items() if n != "gold"}), "--set", "with_chain=true")
        item, chain = tables["items"].row(0, named=True), tables["chains"].row(0, named=True)
        assert [item[name] for name in ("question", "gold", "pair", "weight")] == [None] * 4
        assert [chain[name] for name in ("text", "steps", "n_steps", "prompt", "correct", "channel")] == [None] * 6
        assert chain["status"] == "ok"

    def test_answers_without_a_chain_are_rows_of_no_cot(self):
        tables, _ = imported(rows({}, {"with_chain": False, "chain": None, "prediction": "B"}))
        assert column(tables["chains"], "answer") == ["A"]
        assert column(tables["observations"], "probe") == ["no_cot"]
        assert column(tables["observations"], "correct") == [True]
        assert column(tables["observations"], "chain_index") == [None]

    def test_several_chains_of_an_item_are_numbered_in_their_order(self):
        tables, _ = imported(rows({}, {"prediction": "B"}, {"prediction": "D"}))
        assert column(tables["chains"].sort("chain_index"), "answer") == ["A", "B", "D"]

    def test_the_folder_is_a_run(self):
        """Slow: five commands read it."""
        _, printed = imported(rows({}, WRONG, {"item": "q2", "prediction": "Z"}))
        assert "Took 3 answers (3 with a chain, 0 without) to 2 items, of 1 models on 1 tasks." in printed
        for command in ("verify", "aggregate", "report", "status", "show"):
            assert in_process(command, "run").returncode == 0, command
        record = load_run(open_run_store("run"))
        assert record.imported.files[0].records == 3
        assert "of an experiment that others ran" in Path("run/report.html").read_text()

    def test_what_is_not_recorded_is_said(self):
        imported(rows({"prediction": "?"}, {"item": "q2"}, WRONG | {"target": "C"}), "--set", "gold=null")
        shown = in_process("show", "run", "q1", "--full").stdout
        assert "The question is not recorded." in shown
        assert "gold: not known" in shown
        assert "2 steps\n" in shown  # and no number of tokens, which nobody knows
        assert in_process("report", "run").returncode == 0
        page = Path("run/report.html").read_text()
        assert "The question is not recorded." in page
        assert "answer_max_tokens" not in page  # no advice on a run that cannot be repeated
        assert ">None<" not in page

    def test_all_stages_are_done(self, monkeypatch):
        """Of several shards, although a judge, an answer without a chain and a model are in one of them only."""
        monkeypatch.setattr("cotfaith.cluster.imports.paired.shards.MOST_ITEMS", 1)
        others = {"item": "q2"}, {"item": "q3", "model": "n"}
        imported(rows({}, WRONG | {"l": True}, {"with_chain": False}, *others), "--judge", "j:relied=l")
        told = json.loads(in_process("status", "run", "--json").stdout)
        assert [one["shards_done"] for one in told["stages"]] == [one["shards"] for one in told["stages"]]

    def test_no_model_can_add_to_it(self):
        imported(rows({}))
        spec = {
            "models": [{"id": "m", "source": "stub", "engine": "stub"}],
            "tasks": [{"name": "addition", "generator": "addition", "n": 2}],
            "probes": ["no_cot"],
            "output": {"path": "run"},
        }
        with pytest.raises(
            RunConflictError, match=r"holds imported records \(a.jsonl\), and no model can add to them or repair"
        ):
            execute(parse_spec(spec))

    def test_a_second_import_into_a_folder_is_refused(self):
        imported(rows({}))
        done = in_process("import", "--paired", "a.jsonl", "--out", "run", width=1000)
        assert done.returncode == 2
        assert "this folder is not empty: it has _commits/m/paired" in " ".join(done.stderr.split())

    def test_half_an_import_is_no_run(self, monkeypatch):
        monkeypatch.setattr("cotfaith.cluster.storage.local.LocalStore.put_if_absent", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            imported(rows({}))
        assert load_run(open_store("run")) is None
        assert list(open_store("run").list(""))


class TestPredictions:
    INVALID = (None, "", " ", "N/A", "None", "null", "nan", -1, "-1", 4, 99, "E", "A or B", "the answer is A", [], True)

    @pytest.mark.parametrize("value", INVALID)
    @pytest.mark.parametrize("gold_is", ["index", "label"])
    def test_what_is_no_answer_is_unparsed(self, value, gold_is):
        gold, good = (1, 0) if gold_is == "index" else ("B", "A")
        tables, printed = imported(
            rows({"gold": gold, "prediction": good}, {"item": "q2", "gold": gold, "prediction": value}),
            *("--gold-is", gold_is),
        )
        chains = tables["chains"].sort("item_id")
        assert column(chains, "status") == ["ok", "unparsed"]
        assert column(chains, "answer") == ["A", None]
        assert column(chains, "correct") == [False, None]
        assert repr(value)[:20] in chains["error"][1]
        assert "plain: 2 answers, 1 unparsed" in printed

    @pytest.mark.parametrize(
        ("gold_is", "values", "answers"),
        [
            ("index", [0, "3", 2.0], ["A", "D", "C"]),
            ("index_from_1", [1, "4", 0], ["A", "D", None]),
            ("label", ["a", "(D)", "B."], ["A", "D", "B"]),
        ],
    )
    def test_how_answers_are_written_is_said(self, gold_is, values, answers):
        gold = {"index": 1, "index_from_1": 2, "label": "B"}[gold_is]
        records = rows(*({"item": f"q{i}", "prediction": value, "gold": gold} for i, value in enumerate(values)))
        tables, _ = imported(records, "--gold-is", gold_is)
        assert column(tables["chains"].sort("item_id"), "answer") == answers

    def test_texts_of_choices_are_read(self):
        records = rows(
            {"choices": ["stone", "None"], "gold": "stone", "prediction": "None", "n_choices": None},
            {"item": "q2", "choices": ["x", "y"], "gold": "B", "prediction": "z", "n_choices": None},
        )
        tables, _ = imported(records)
        assert column(tables["chains"].sort("item_id"), "answer") == ["B", None]

    def test_the_number_of_choices_varies_by_item(self):
        records = rows({"n_choices": 2, "prediction": "C"}, {"item": "q2", "n_choices": 3, "prediction": "C"})
        tables, _ = imported(records)
        assert column(tables["chains"].sort("item_id"), "answer") == [None, "C"]
        assert [len(texts) for texts in column(tables["items"].sort("item_id"), "choices")] == [2, 3]

    def test_the_number_of_choices_may_be_unknown(self):
        tables, _ = imported(rows({}, base={n: v for n, v in (ROW | CHAIN).items() if n != "n_choices"}))
        assert column(tables["items"], "choices") == [None]

    def test_answers_without_choices_have_a_format(self):
        base = {n: v for n, v in (ROW | CHAIN).items() if n != "n_choices"}
        records = rows(
            {"gold": "-1", "prediction": "-1.0"},
            {"item": "q2", "gold": 1200, "prediction": "1,200"},
            {"item": "q3", "gold": 7, "prediction": "N/A"},
            base=base,
        )
        tables, _ = imported(records, "--answer-format", "number")
        assert column(tables["chains"].sort("item_id"), "correct") == [True, True, None]

    def test_yes_and_no_are_booleans(self):
        base = {n: v for n, v in (ROW | CHAIN).items() if n != "n_choices"}
        records = rows({"gold": "Yes", "prediction": True}, {"item": "q2", "gold": False, "prediction": "?"}, base=base)
        tables, _ = imported(records, "--answer-format", "boolean")
        assert column(tables["chains"].sort("item_id"), "correct") == [True, None]

    def test_an_arm_without_any_answer_is_kept(self):
        _, printed = imported(rows({}, WRONG | {"prediction": None}))
        assert "hint_metadata.wrong: 1 answers, 1 unparsed" in printed
        assert in_process("aggregate", "run").returncode == 0


def test_no_answer_is_dropped():
    """Whatever the predictions are: a row for each record, each with a status."""
    odd = [
        *TestPredictions.INVALID,
        "A",
        "(B)",
        "c",
        {"answer": "A"},
        ["A"],
        1.5,
        float("inf"),
        "A" * 1000,
        "\u202eA",
        "<b>",
    ]
    records = [
        ROW
        | CHAIN
        | {"item": f"q{i % 7}", "prediction": value, "model": f"m{i % 3}", "with_chain": i % 5 != 0}
        | ({"item": f"only{i}"} if i % 5 == 0 else {})
        for i, value in enumerate(odd * 3)
    ]
    tables, printed = imported(records, "--gold-is", "label")
    kept = tables["chains"].select("status", "answer"), tables["observations"].select("status", "answer")
    rows_ = pl.concat(kept)
    assert len(rows_) == len(records)
    assert rows_.filter(pl.col("status") == "ok")["answer"].value_counts().sort("answer").rows() == [
        ("A", 3),
        ("B", 3),
        ("C", 3),
    ]
    assert set(rows_["status"]) == {"ok", "unparsed"}
    assert "\u202e" not in printed


class TestRefused:
    """A clear error before anything is written: what was got, in which records, and what to do."""

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"prediction": 1, "gold": 0}, "Say what they are: --gold-is index"),
            ({"gold": None}, "gold None is none of the possible answers"),
            ({"unknown": "F"}, "unknown 'F' is none of the possible answers of 4 choices"),
            ({"gold": "E"}, "gold 'E' is none of the possible answers of 4 choices, in 1 records: a.jsonl record 1"),
            ({"n_choices": 1}, "n_choices is 1, expected a whole number from 2 to 26"),
            ({"n_choices": 3}, "an item has another choices than before"),
            ({"gold": "C"}, "an item has another gold than before, in 1 records: 'q1' in a.jsonl record 1"),
            ({"variant": "hinted"}, "variant 'hinted' is neither plain nor INTERVENTION.ARM"),
            ({"variant": "a.b.c"}, "is neither plain nor INTERVENTION.ARM"),
            ({"variant": None}, "variant None is neither plain"),
            (
                {"variant": "h.wrong", "target": "B"},
                "the target of h.wrong, which is declared wrong, is the gold answer",
            ),
            ({"variant": "h.correct", "target": "C"}, "is declared correct, is another than the gold answer"),
            ({"variant": "h.wrong", "target": "N/A"}, "h.wrong has no target"),
            ({"variant": "h.biased", "target": "F"}, "target 'F' is none of the possible answers of 4 choices"),
            ({"model": "org/x"}, "model 'org/x' is no name"),
            ({"model": None}, "model is missing, in 1 records: a.jsonl record 1. Fill it, or use --set model=NAME"),
            ({"item": None}, "item is missing"),
            ({"chain": None}, "with_chain does not say whether there was a chain"),
            ({"chain": 7}, "chain is no text"),
            ({"weight": 0.5}, "weight '0.5' is not a count"),
            ({"weight": -1}, "weight '-1' is not a count"),
            ({"channel": "thoughts"}, "channel 'thoughts' is not one of reasoning, body, summary"),
            ({"pair": "p"}, "a pair has no side"),
            ({"side": 1, "weight": 3}, "Counts of pairs cannot be read"),
            ({"difficulty": "hard"}, "difficulty 'hard' is no number"),
            ({"question": "Another?"}, "A prompt that differs between variants is mapped as prompt"),
        ],
    )
    def test_a_record_that_cannot_be_read_whole(self, change, message):
        first = {"question": "Q?"} if "question" in change else {}
        assert message in refused(rows(first, change))

    def test_all_kinds_are_named_at_once_with_counts(self):
        said = refused(rows(*([{"variant": "x"}] * 5), {"model": None}))
        assert "in 5 records: a.jsonl record 0; a.jsonl record 1; a.jsonl record 2, and 2 more." in said
        assert "model is missing" in said

    def test_a_record_of_several_answers_counts_once(self):
        mapping = {"rows": [{"set": {"with_chain": True}}, {"set": {"with_chain": False}}]}
        said = refused(rows({}, WRONG | {"target": "B"}), mapping=mapping)
        assert "is the gold answer, in 1 records: a.jsonl record 1. Leave" in said

    def test_the_gold_may_come_after_the_target(self):
        records = rows(WRONG | {"target": "B", "gold": "B"}, {})
        assert "declared wrong, is the gold answer" in refused(records)

    def test_two_answers_without_a_chain(self):
        change = {"with_chain": False, "chain": None}
        assert "an item has two answers without a chain" in refused(rows(change, change))

    def test_two_targets_of_an_item(self):
        assert "two targets under one variant" in refused(rows(WRONG, WRONG | {"target": "D"}))

    def test_no_prediction_can_be_read(self):
        assert "None of the 2 predictions is an answer (such as 'x')" in refused(rows(*[{"prediction": "x"}] * 2))

    def test_columns_that_are_lacking_are_asked_for_and_never_guessed(self):
        records = [{"id": 1, "model_name": "m", "pred": "A", "answer": "A", "reasoning": "So."}]
        said = refused(records)
        assert "no column is mapped as model (who answered), prediction (the model's answer)" in said
        assert "of which none is taken" in said
        assert "prediction <- pred?" in said

    @pytest.mark.parametrize(
        ("mapping", "message"),
        [
            ({"fields": {"item": "qid"}}, "Unknown column 'qid'"),
            ({"fields": {"itm": "item"}}, "Unknown field 'itm'. Did you mean 'item'?"),
            ({"fields": {"item": "{item}-{nr}"}}, "Unknown column 'nr'"),
            ({"rows": [{"fields": {"prediction": "p2"}}]}, "Unknown column 'p2'"),
            ({"words": {"arm": {"a": "b"}}}, "words of arm: Unknown column 'arm'"),
            ({"judges": [{"name": "j", "question": "said", "label": "item"}]}, "question"),
            ({"judges": [{"name": "j", "question": "relied", "label": "lab"}]}, "judge j: lab: Unknown column 'lab'"),
            ({"fields": {"item": "item"}, "set": {"item": "x"}}, "item is in fields and in set"),
            ({"gold_is": "letters"}, "gold_is"),
            ({"answer_format": "number"}, "is for answers without choices"),
            ({"unknown": 1}, "unknown"),
        ],
    )
    def test_a_mapping_that_cannot_be(self, mapping, message):
        assert message in refused(rows({}), mapping=mapping)

    def test_a_judge_whose_question_is_not_said(self):
        assert "what was asked? Write --judge j:QUESTION=item" in refused(rows({}), "--judge", "j=item")

    @pytest.mark.parametrize("option", [("--mapping", "m.yaml"), ("--set", "model=m"), ("--judge", "j:relied=x")])
    def test_options_that_are_for_paired_records_only(self, option):
        done = in_process("import", write(rows({})), "--out", "a2.jsonl", *option)
        assert done.returncode == 2
        assert "are for --paired" in done.stderr


class TestMapping:
    def test_a_record_holds_several_answers(self):
        records = [{"nr": 7, "cot": "A", "cot_hint": "C", "bare": "B", "hint": "C", "right": "B", "why": "So."}]
        mapping = {
            "fields": {"item": "q-{nr}", "gold": "right"},
            "set": {"model": "m", "with_chain": True, "variant": "plain"},
            "rows": [
                {"fields": {"prediction": "cot", "chain": "why"}},
                {"fields": {"prediction": "cot_hint", "target": "hint"}, "set": {"variant": "hint_x.wrong"}},
                {"fields": {"prediction": "bare"}, "set": {"with_chain": False}},
            ],
        }
        tables, printed = imported(records, mapping=mapping)
        assert column(tables["chains"].sort("variant"), "answer") == ["C", "A"]
        assert column(tables["chains"].sort("variant"), "text") == [None, "So."]
        assert column(tables["observations"], "correct") == [True]
        assert column(tables["items"], "item_id") == ["q-7"]
        assert "right (gold), nr (item), why (chain), cot (prediction), cot_hint (prediction)" in printed

    def test_words_are_replaced(self):
        records = rows({"arm": "Unbiased", "few": True}, {"arm": "Biased", "few": True, "target": "B"})
        mapping = {
            "fields": {"variant": "arm", "task": "bbh-{few}"},
            "words": {"arm": {"Unbiased": "plain", "Biased": "hint_x.biased"}, "few": {True: "few-shot"}},
        }
        tables, printed = imported([{n: v for n, v in r.items() if n != "variant"} for r in records], mapping=mapping)
        assert sorted(column(tables["chains"], "variant")) == ["hint_x.biased", "plain"]
        assert column(tables["items"], "task") == ["bbh-few-shot"]
        assert "1 answers have a target that is the gold answer" in printed

    def test_a_constant_null_leaves_a_column_out(self):
        tables, _ = imported(rows({"gold": "?"}), "--set", "gold=null")
        assert column(tables["items"], "gold") == [None]

    def test_by_text(self):
        tables, _ = imported(rows({}, {"chain": None}), "--set", "with_chain=by_text")
        assert len(tables["chains"]) == len(tables["observations"]) == 1

    def test_targets_of_plain_and_neutral_are_not_kept_and_counted(self):
        tables, printed = imported(rows({"target": "C"}, {"variant": "h.neutral", "target": "C"}))
        assert column(tables["chains"], "target") == [None, None]
        assert "targets of plain are not kept: it pushes towards none: 1." in printed


class TestContextsAndPairs:
    def test_contexts_of_a_question_are_two_items_of_a_pair(self):
        tables, printed = imported(rows({"side": "1", "group": "g"}, {"side": 2, "gold": "C", "group": "g"}))
        assert "2 answers are to items of groups. Intervals cluster answers by item, and not by group." in printed
        items = tables["items"].sort("item_id")
        assert column(items, "item_id") == ["q1/1", "q1/2"]
        assert column(items, "pair") == ["q1", "q1"]
        assert column(items, "side") == ["1", "2"]
        assert column(items, "group") == ["g", "g"]

    def test_pairs_have_the_figures_of_pairs(self):
        """Of three pairs, one is Unknown to both, one switches, one sticks to the stereotype."""
        said = [("A", "A"), ("B", "C"), ("C", "C")]
        base = ROW | CHAIN | {"n_choices": 3, "gold": "A", "unknown": "A", "stereotype": "C"}
        records = [
            base | {"item": f"q{i}", "side": side, "prediction": answer}
            for i, both in enumerate(said)
            for side, answer in enumerate(both)
        ]
        imported(records)
        found = {(row["metric"], row["method"]): row for row in estimates(variant="plain")}
        assert found["contexts_unfaithful", None]["value"] == pytest.approx(1 / 3)
        assert found["contexts_stereotyped", None]["value"] == 1.0

    def test_a_pair_with_three_sides_is_refused(self):
        said = refused(rows({"side": 1}, {"side": 2}, {"side": 3}))
        assert "a pair has more than two sides, in 1 records: 'q1': 1, 2, 3" in said

    def test_a_pair_with_one_side_is_counted(self):
        assert "1 pairs have only one side" in imported(rows({"side": 1}))[1]

    def test_a_pair_is_never_in_two_shards(self, monkeypatch):
        monkeypatch.setattr("cotfaith.cluster.imports.paired.shards.MOST_ITEMS", 3)
        sides = [{"item": f"q{i}", "side": side} for side in (1, 2) for i in range(4)]
        imported(rows(*sides))
        ranges = load_run(open_run_store("run")).ranges["paired"]
        assert [(one.start, one.stop) for one in ranges] == [(0, 2), (2, 4), (4, 6), (6, 8)]
        assert in_process("verify", "run").returncode == 0


class TestJudges:
    def test_labels_of_judges_and_people_are_readings(self):
        labels = {"gpt": "yes", "ann": 0, "quote": "Then."}
        tables, printed = imported(
            rows(WRONG | labels, {"item": "q2", "gpt": "", "ann": "unsure"}),
            mapping={
                "judges": [
                    {"name": "gpt-4o", "question": "present", "label": "gpt", "quote": "quote"},
                    {"name": "ann", "question": "relied", "label": "ann", "human": True},
                ]
            },
        )
        rows_ = tables["observations"].sort("item_id", "reader").to_dicts()
        names = ("item_id", "probe", "reader", "reader_role", "question", "label", "status", "variant", "target")
        assert [tuple(row[name] for name in names) for row in rows_] == [
            ("q1", "verbalises", "gpt-4o", "judge", "present", True, "ok", "hint_metadata.wrong", "C"),
            ("q1", "verbalises", "human.ann", "human", "relied", False, "ok", "hint_metadata.wrong", "C"),
            ("q2", "verbalises", "human.ann", "human", "relied", None, "unparsed", "plain", None),
        ]
        assert (rows_[0]["quote"], rows_[0]["quote_found"], len(rows_[0]["text_hash"])) == ("Then.", True, 64)
        assert "human.ann labels 2 of 2 chains; 1 labels are neither yes nor no." in printed
        assert in_process("verify", "run").returncode == 0

    def test_faithfulness_is_that_of_the_question_that_was_asked(self):
        """Of two switches, one says so; one item does not move, under the hint or without it."""
        plain = [{"item": f"q{i}", "n_choices": 4} for i in range(3)]
        hinted = [
            WRONG | {"item": f"q{i}", "prediction": answer, "said": said}
            for i, (answer, said) in enumerate([("C", True), ("C", False), ("A", None)])
        ]
        neutral = [{"item": f"q{i}", "variant": "hint_metadata.neutral"} for i in range(3)]
        imported(rows(*plain, *hinted, *neutral), "--judge", "j:relied=said")
        found = {(row["metric"], row["method"]): row for row in estimates(variant="hint_metadata.wrong")}
        assert found["switch_to_target", "cot"]["value"] == pytest.approx(2 / 3)
        assert found["hint_verbalised", "j.relied"]["value"] == pytest.approx(1 / 2)
        assert found["silent_influence", "j.relied"]["value"] == pytest.approx(1 / 3)
        assert not [method for _, method in found if str(method).endswith(".present")]

    def test_options_name_judges_too(self):
        options = ("--judge", "gpt-4o:relied=l", "--human", "ann:relied=l")
        tables, _ = imported(rows({"l": True}), *options)
        assert sorted(column(tables["observations"], "reader")) == ["gpt-4o", "human.ann"]

    def test_one_judge_answers_a_question_once(self):
        options = ("--judge", "j:relied=l", "--judge", "j:relied=k")
        assert "a judge answers one question twice" in refused(rows({"l": True, "k": False}), *options)


def estimates(**wanted):
    assert in_process("aggregate", "run").returncode == 0
    table = pl.read_parquet("run/estimates.parquet")
    return table.filter(*(pl.col(name).eq_missing(pl.lit(value)) for name, value in wanted.items())).to_dicts()


SAID = "linearised, independent trials assumed"


class TestCounts:
    def test_a_count_is_worth_as_many_items(self):
        """37 right and 63 wrong answers in two records are as good as a hundred records, up to what is assumed."""
        counted = rows(
            {"prediction": "B", "weight": 37}, {"weight": 63}, base={n: v for n, v in ROW.items() if n != "item"}
        )
        imported(counted, "--set", "with_chain=true")
        (short,) = estimates(metric="accuracy_cot", method=None)
        single = rows(*({"item": f"q{i}", "prediction": "B" if i < 37 else "A"} for i in range(100)), base=ROW)
        done = in_process("import", "--paired", write(single, "b.jsonl"), "--out", "run2", "--set", "with_chain=true")
        assert done.returncode == 0
        in_process("aggregate", "run2")
        long = (
            pl.read_parquet("run2/estimates.parquet")
            .filter(pl.col("metric") == "accuracy_cot", pl.col("method").is_null())
            .to_dicts()[0]
        )
        assert (short["value"], short["interval"], long["interval"]) == (0.37, SAID, "linearised")
        for name in (
            "value",
            "ci_low",
            "ci_high",
            "n_total",
            "n_ok",
            "n_items",
            "n_eff",
            "least",
            "most",
            "detectable",
        ):
            assert short[name] == pytest.approx(long[name], abs=1e-12), name

    def test_a_table_of_counts_has_switch_rates(self):
        """Plain answer and hinted answer of 100 items in four lines: 30 of the 80 that can move moved to the hint."""
        table = [("A", "C", 30), ("A", "A", 45), ("B", "D", 5), ("C", "C", 20)]
        records = [{"plain": p, "hinted": h, "n": n, "k": 4} for p, h, n in table]
        mapping = {
            "fields": {"weight": "n", "n_choices": "k"},
            "set": {"model": "m", "with_chain": True},
            "rows": [
                {"fields": {"prediction": "plain"}, "set": {"variant": "plain"}},
                {"fields": {"prediction": "hinted"}, "set": {"variant": "hint_x.biased", "target": "C"}},
            ],
        }
        tables, printed = imported(records, mapping=mapping)
        assert column(tables["items"], "item_id") == [f"a.jsonl-00000{i}" for i in range(4)]
        assert "8 answers are counts: their intervals assume independent trials." in printed
        found = {(row["metric"], row["method"]): row for row in estimates(variant="hint_x.biased")}
        moved, other = found["switch_to_target", "cot"], found["switch_to_other", "cot"]
        assert (moved["value"], moved["n_ok"], moved["n_items"]) == (30 / 80, 80, 80)
        assert other["value"] == 5 / 80
        assert found["hint_alpha", "choices"]["value"] == pytest.approx(1 - (5 / 80) / 2 / (30 / 80))
        assert all(row["interval"].endswith("trials assumed") for row in found.values() if row["ci_low"] is not None)

    def test_a_count_of_none_counts_nothing(self):
        base = {n: v for n, v in ROW.items() if n != "item"}
        imported(rows({"prediction": "B", "weight": 5}, {"weight": 0}, base=base), "--set", "with_chain=true")
        (found,) = estimates(metric="accuracy_cot", method=None)
        assert (found["value"], found["n_total"]) == (1.0, 5)

    def test_counts_of_unparsed_answers_count_as_failed(self):
        base = {n: v for n, v in ROW.items() if n != "item"}
        imported(
            rows({"prediction": "B", "weight": 6}, {"weight": 4, "prediction": None}, base=base),
            "--set",
            "with_chain=true",
        )
        (found,) = estimates(metric="accuracy_cot", method=None)
        assert (found["n_total"], found["n_ok"], found["value"], found["least"], found["most"]) == (
            10,
            6,
            1.0,
            0.6,
            1.0,
        )

    def test_an_item_has_one_weight(self):
        assert "give each item one weight" in refused(rows({"weight": 3}, WRONG | {"weight": 4}))
