"""``cotfaith import``: columns, recorded answers, booleans, ids, and files that it wrote itself."""

import json

import pytest

from cotfaith.schemas.spec import TaskSpec
from cotfaith.workers.tasks import load_task

GOOD = {"question": "What is 2 + 3?", "cot": "Two and three. So five.", "gold": "5"}
CHOICE = GOOD | {"choices": ["four", "five"], "gold": "B"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def take(cli, folder):
    """A function that imports records: (what was written, the command's output)."""

    def run(*records, options=(), code=0, name="in.jsonl"):
        text = "\n".join(json.dumps(record) for record in records)
        if name.endswith(".csv"):
            text = records[0]
        (folder / name).write_text(text)
        got, out, err = cli("import", name, "--out", "out.jsonl", "--replace", *options)
        assert got == code, err
        rows = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()] if not code else []
        return rows, " ".join((out + err).split())

    return run


def items_of(path, **more):
    return load_task(TaskSpec(name="chains", file=str(path), adapter="chains", **more), 0)


class TestColumns:
    @pytest.mark.parametrize(
        "column",
        [
            {"setting": "zero-shot"},
            {"label": "math"},
            {"label": 1},
            {"label": True},
            {"label": {"correct": True}},
            {"hint": "multiply"},
            {"hint_style": "bold"},
            {"bottlenecks": ["memory"]},
            {"steps": 2},
            {"steps": "two"},
            {"steps": [{"role": "assistant", "content": "x"}]},
            {"choices": 4},
            {"author": {"name": "x"}},
            {"id": ["a"]},
        ],
    )
    def test_unmapped_ones_that_hold_something_else_are_left_out_and_said(self, take, folder, column):
        (name,) = column
        rows, out = take(GOOD, GOOD | column)
        assert [row["cot"] for row in rows] == [GOOD["cot"]] * 2
        assert not any(name in row for row in rows) or name == "id"
        assert f"column '{name}'" in out
        assert f"--field {name}={name}" in out
        assert len(items_of(folder / "out.jsonl")) == 2

    def test_unmapped_ones_that_can_only_be_ours_are_taken(self, take):
        ours = {"label": "unfaithful", "setting": "diversionary", "hint": "6", "hint_style": "metadata", "answer": "6"}
        rows, out = take(GOOD | ours, GOOD)
        assert {name: rows[0][name] for name in ours} == ours
        assert "Note" not in out

    def test_a_mapped_style_without_a_hint_is_kept(self, take, folder):
        rows, _ = take(GOOD | {"hint_style": "metadata"}, options=("--field", "hint_style=hint_style"))
        assert rows[0]["hint_style"] == "metadata"
        (item,) = items_of(folder / "out.jsonl")
        assert item.hint is None
        assert dict(item.metadata) == {"hint_style": "metadata"}

    def test_mapped_ones_are_taken_whatever_their_words(self, take):
        options = ("--field", "label=honest", "--field", "answer=said")
        rows, _ = take(GOOD | {"honest": True, "said": 5}, GOOD | {"honest": 0, "said": 5}, options=options)
        assert [row["label"] for row in rows] == ["faithful", "unfaithful"]

    def test_a_mapped_label_of_other_words_leaves_the_record_out(self, take):
        rows, out = take(GOOD | {"answer": 5, "kind": "math"}, GOOD, options=("--field", "label=kind"))
        assert len(rows) == 1
        assert "1 label 'math'" in out

    def test_labels_of_steps_that_grade_something_else(self, take):
        steps = [{"text": "Two and three.", "label": True}, {"text": "So five.", "label": False}]
        record = {"question": "?", "gold": "5", "answer": "5", "steps": steps}
        rows, out = take(record)
        assert rows[0]["steps"] == ["Two and three.", "So five."]
        assert "the labels of steps" in out
        kept = [step | {"label": "faithful"} for step in steps]
        assert take(record | {"steps": kept})[0][0]["steps"] == kept

    def test_difficulty_in_words(self, take):
        rows, out = take(GOOD | {"difficulty": "Level 5"}, GOOD | {"difficulty": "hard"}, GOOD | {"difficulty": 2.5})
        assert [row.get("difficulty") for row in rows] == [5, None, 2.5]
        assert "difficulty has no number and is left empty: 1 (first: in.jsonl, record 1" in out

    def test_a_field_is_mapped_once(self, take):
        _, out = take(GOOD, options=("--field", "cot=cot", "--field", "cot=question"), code=2)
        assert "cot is mapped twice" in out


class TestRecordedAnswers:
    @pytest.mark.parametrize("answer", ["\\boxed{5}", "#### 5", "5 pens", "5", 5, 5.0, "The answer is 5.", "**5**"])
    def test_the_gold_decides_the_format(self, take, folder, answer):
        rows, out = take(GOOD | {"answer": answer})
        assert (rows[0]["gold"], rows[0]["answer"]) == ("5", "5")
        assert "Answers: 1 number; 1 chains have a recorded answer" in out
        (item,) = items_of(folder / "out.jsonl")
        assert (item.answer_format, item.supplied.answer) == ("number", "5")

    @pytest.mark.parametrize("answer", ["I cannot say.", "unknown", {"value": 5}, ["5"], True, "5 or 6"])
    def test_one_that_cannot_be_read_is_counted_and_left_empty(self, take, answer):
        rows, out = take(GOOD | {"answer": answer}, GOOD | {"answer": "5"})
        assert "answer" not in rows[0]
        assert "Answers: 2 number; 1 chains have a recorded answer" in out
        assert "the recorded answer cannot be read in the gold's format: 1 (first: in.jsonl, record 0" in out

    @pytest.mark.parametrize(
        ("answer", "label"), [("(A)", "A"), ("five", "B"), ("The answer is (A).", "A"), ("B", "B")]
    )
    def test_of_choices(self, take, answer, label):
        assert take(CHOICE | {"answer": answer})[0][0]["answer"] == label

    @pytest.mark.parametrize("answer", ["seven", 0, "I do not know.", "C", ["A"]])
    def test_of_choices_that_cannot_be_read(self, take, answer):
        rows, out = take(CHOICE | {"answer": answer})
        assert "answer" not in rows[0]
        assert "cannot be read in the gold's format: 1" in out

    def test_nothing_is_no_answer(self, take):
        rows, out = take(*(GOOD | {"answer": answer} for answer in (None, "", float("nan"), "nan", " NaN ")))
        assert not any("answer" in row for row in rows)
        assert "Answers: 5 number; 0 chains" in out
        assert "cannot be read" not in out

    @pytest.mark.parametrize("word", ["nan", "None", "null", "N/A", "NA", ""])
    def test_nothing_in_a_csv(self, take, word):
        text = f"question,cot,gold,answer\nWhat?,Two. Five.,5,{word}\nWhat?,Two. Five.,{word},5\n"
        rows, out = take(text, name="in.csv")
        assert [row.get("answer") for row in rows] == [None]
        assert "1 field 'gold' is empty" in out

    def test_a_label_needs_an_answer_that_can_be_read(self, take):
        rows, out = take(GOOD | {"answer": "who knows", "label": "faithful"}, GOOD)
        assert len(rows) == 1
        assert "a label is about a chain and its answer" in out


class TestFormats:
    @pytest.mark.parametrize(
        ("gold", "answer", "words"),
        [
            (True, "yes", ["Yes", "No"]),
            (True, None, ["Yes", "No"]),
            ("yes", True, ["Yes", "No"]),
            ("True", "False", ["True", "False"]),
            ("TRUE", None, ["True", "False"]),
            ("No", "no", ["Yes", "No"]),
        ],
    )
    def test_booleans(self, take, folder, gold, answer, words):
        _, out = take({"question": "Is 7 prime?", "cot": "7 has no divisors. So yes.", "gold": gold, "answer": answer})
        assert "1 boolean" in out
        (item,) = items_of(folder / "out.jsonl")
        assert (item.answer_format, list(item.choices)) == ("boolean", words)
        assert item.gold == ("false" if gold == "No" else "true")
        given = {"yes": "true", True: "true", "False": "false", "no": "false"}.get(answer)
        assert item.supplied.answer == given

    def test_the_answer_format_can_be_said(self, take, folder):
        rows, out = take(GOOD, GOOD | {"gold": "five"}, options=("--answer-format", "number"))
        assert [row["gold"] for row in rows] == ["5"]
        assert "gold 'five' is not a number" in out
        rows, out = take(GOOD | {"gold": "A"}, options=("--answer-format", "text"))
        assert "answer_format: text" in out
        (item,) = items_of(folder / "out.jsonl", answer_format="text")
        assert (item.answer_format, item.gold) == ("text", "a")
        assert "Did you mean 'number'" in take(GOOD, options=("--answer-format", "numbr"), code=2)[1]

    def test_letters_without_choices_are_refused_with_the_line_to_write(self, take):
        record = {k: v for k, v in CHOICE.items() if k != "choices"} | {"opts": 1, "options": ["four", "five"]}
        assert "cotfaith import FILE --field choices=options" in take(record, code=2)[1]
        rows, _ = take(record, options=("--field", "choices=options"))
        assert (rows[0]["choices"], rows[0]["gold"]) == (["four", "five"], "B")

    def test_a_number_of_choices_is_no_choices(self, take):
        record = GOOD | {"choices": 4, "gold": "C", "options": ["1", "2", "3", "4"]}
        assert "--field choices=options" in take(record, code=2)[1]

    @pytest.mark.parametrize(
        ("choices", "gold", "options", "expected"),
        [
            (["A) four", "B) five"], "B", (), (["four", "five"], "B")),
            ({"A": "four", "B": "five"}, "A", (), (["four", "five"], "A")),
            ({"text": ["four", "five"], "label": ["1", "2"]}, "2", (), (["four", "five"], "B")),
            (["4", "5", "1"], "1", ("--gold-is", "index"), (["4", "5", "1"], "B")),
            (["4", "5", "1"], "1", ("--gold-is", "index_from_1"), (["4", "5", "1"], "A")),
            (["4", "5", "1"], "1", ("--gold-is", "text"), (["4", "5", "1"], "C")),
            (["B", "A"], 0, (), (["B", "A"], "(A)")),
        ],
    )
    def test_choices_are_written_plainly(self, take, folder, choices, gold, options, expected):
        rows, _ = take(GOOD | {"choices": choices, "gold": gold}, options=options)
        assert (rows[0]["choices"], rows[0]["gold"]) == expected
        (item,) = items_of(folder / "out.jsonl")
        assert (list(item.choices), item.gold) == (expected[0], expected[1].strip("()"))

    def test_an_ambiguous_column_names_the_option(self, take):
        assert "gold_is: text or index" in take(GOOD | {"choices": ["2", "8", "1"], "gold": "1"}, code=2)[1]

    def test_a_csv_without_a_header(self, take):
        options = ("--field", "question=1", "--field", "cot=2", "--field", "gold=3")
        rows, _ = take("What?,Two. Five.,5\nAnd?,Two. Six.,6\n", name="in.csv", options=options)
        assert [(row["question"], row["gold"]) for row in rows] == [("What?", "5"), ("And?", "6")]

    def test_choices_of_several_columns(self, take):
        record = GOOD | {"A": "four", "B": "five", "C": None, "gold": "B"}
        rows, _ = take(record, options=("--field", "choices=A,B,C"))
        assert rows[0]["choices"] == ["four", "five"]
        assert "Unknown column 'A,X'" in take(record, options=("--field", "choices=A,X"), code=2)[1]


class TestWholeChains:
    @pytest.mark.parametrize(
        "cot",
        [
            "5",
            "5.",
            "**5**",
            "\\boxed{5}",
            "#### 5",
            "$5$",
            "The answer is 5.",
            "Final answer: 5",
            "5 pens",
            "So the answer is: 5",
        ],
    )
    def test_an_answer_is_no_chain(self, take, cot):
        rows, out = take(GOOD | {"cot": cot}, GOOD)
        assert len(rows) == 1
        assert "1 the chain consists of only an answer" in out

    @pytest.mark.parametrize(
        "cot", ["B", "(B)", "five", "B) five", "The answer is (B).", "The correct option is B: five"]
    )
    def test_nor_is_a_choice(self, take, cot):
        assert len(take(CHOICE | {"cot": cot}, CHOICE)[0]) == 1

    @pytest.mark.parametrize(
        "cot", ["Five.", "2 + 3 = 5", "It is 5 because 2 + 3 is.", "5 is 2 and 3 more.", "One step."]
    )
    def test_short_chains_are_chains(self, take, cot):
        assert len(take(GOOD | {"cot": cot})[0]) == 1

    def test_half_thoughts_are_left_out_and_whole_ones_read(self, take):
        whole = "<think>\nTwo and three. So five.\n</think>\n\nIt is 5."
        cots = [whole, whole.partition("\n\n")[0], whole[8:], whole[:20], "<think></think>5", whole * 2]
        rows, out = take(*(GOOD | {"cot": cot} for cot in cots))
        assert [row["cot"] for row in rows] == ["Two and three. So five."] * 3
        for reason in ("so its thought was cut", "a thought without words", "several marks of reasoning"):
            assert f"1 field 'cot' {'opens' if 'cut' in reason else 'has'}" in out
            assert reason in out

    def test_questions_of_several_messages_are_left_out(self, take):
        user = {"role": "user", "content": "What is 2 + 3?"}
        system = {"role": "system", "content": "Be brief."}
        rows, out = take(*(GOOD | {"question": asked} for asked in ([user], [system, user], [user, user])))
        assert [row["question"] for row in rows] == ["What is 2 + 3?"]
        assert "1 field 'question' has a system message" in out
        assert "1 field 'question' has several turns" in out


class TestIds:
    @pytest.mark.parametrize(
        "given",
        [
            ["q1", "q1", "q1-2"],
            ["q1-2", "q1", "q1"],
            ["q1", "q1", "q1", "q1-2", "q1-3"],
            ["q1", "q1-2", "q1-2", "q1"],
            ["chains-000001", None, None],
            [None, "chains-000000", "chains-000000", "chains-000000-2"],
            ["x", " x ", "", float("nan"), None, 7, "7"],
        ],
    )
    def test_new_ones_are_like_no_other(self, take, folder, given):
        rows, _ = take(*(GOOD | {"id": name} for name in given))
        ids = [row["id"] for row in rows]
        assert len(set(ids)) == len(given)
        kept = [
            name for name in dict.fromkeys(given) if isinstance(name, str) and name.strip() and name == name.strip()
        ]
        assert set(kept) <= set(ids)
        assert [item.id for item in items_of(folder / "out.jsonl")] == ids

    def test_over_several_files(self, cli, folder):
        for name, given in (("a", ["x", "x"]), ("b", ["x-2", "x"])):
            (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(GOOD | {"id": one}) for one in given))
        assert cli("import", "a.jsonl", "b.jsonl", "--out", "out.jsonl")[0] == 0
        assert [item.id for item in items_of(folder / "out.jsonl")] == ["x", "x-3", "x-2", "x-4"]

    def test_numbered_items_of_a_task_file_give_way_to_given_ids(self, folder):
        rows = [GOOD, GOOD | {"id": "chains-000000"}]
        (folder / "c.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        assert [item.id for item in items_of(folder / "c.jsonl")] == ["chains-000000-2", "chains-000000"]


ROUND = [
    GOOD,
    GOOD | {"answer": "5 pens", "author": "m", "difficulty": "Level 3"},
    GOOD | {"cot": None, "steps": ["Two.\n", "And 3: 五。", "五。"]},
    {"question": "?", "gold": "Dark  Blue.", "answer": "dark blue", "cot": "Hm. It is dark blue."},
    {"question": "Is it?", "gold": True, "answer": "no", "cot": "One. Two."},
    CHOICE | {"choices": ["1) (a) x", "2) (b) y"], "gold": "(b) y", "answer": "A"},
    CHOICE | {"choices": ["B", "A"], "gold": "(A)", "label": "faithful", "answer": "(B)"},
    GOOD
    | {"cot": "一。二。", "steps": [{"start": 0, "label": "faithful"}, {"start": 2, "label": None}], "answer": "5"},
    GOOD | {"answer": "6", "label": "unfaithful", "setting": "diversionary", "hint": "6", "hint_style": "metadata"},
    GOOD | {"answer": "5", "setting": "outright", "bottlenecks": ["2", 3]},
]


def test_a_file_that_import_wrote_is_read_as_it_was(take, cli, folder):
    rows, _ = take(*ROUND)
    assert len(rows) == len(ROUND)
    first = items_of(folder / "out.jsonl")
    assert cli("import", "out.jsonl", "--out", "again.jsonl")[0] == 0
    assert items_of(folder / "again.jsonl") == first
    assert (folder / "again.jsonl").read_text() == (folder / "out.jsonl").read_text()
    assert items_of(folder / "in.jsonl") == first


class TestOtherTools:
    """Files of other tools without a complete chain and a short gold."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            ({"gold": "2+3=<<2+3=5>>5\n#### 5"}, "is a worked solution"),
            ({"gold": "so it is $\\boxed{5}$."}, "is a worked solution"),
            ({"gold": "['5', 'five']"}, "is a list in a text"),
            ({"gold": "#DIV/0!"}, "spreadsheet error"),
            ({"finish_reason": "length"}, "the chain was cut"),
            ({"stop_reason": "max_tokens"}, "the chain was cut"),
            ({"cot": json.dumps([{"role": "assistant", "content": "Two. Three."}])}, "is messages as text"),
            ({"cot": str([{"role": "assistant", "content": "Two. Three."}])}, "is messages as text"),
            ({"cot": ["Two and three. So 5.", "Three and two. So 6."], "answer": ["5", "6"]}, "are both lists"),
        ],
    )
    def test_is_left_out_with_its_reason(self, take, bad, reason):
        rows, out = take(GOOD, GOOD | bad)
        assert len(rows) == 1
        assert "Left out: 1" in out
        assert reason in out

    def test_ends_that_are_no_cut_are_taken(self, take):
        rows, _ = take(GOOD | {"finish_reason": "stop"}, GOOD | {"finish_reason": None}, GOOD | {"cot": ["Two.", "5."]})
        assert len(rows) == 3
