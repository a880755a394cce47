"""The pages' commands and scripts, executed in their order, page by page, on stub engines and small files.

A page is given what it takes for granted: a spec, its run, and what ``PREPARE`` makes. ``PLACES`` holds what stands in
for its words: a run for RUN, a stub for a model's weights, a folder for a bucket. Nothing else of a line is changed.
``CODES`` has the exit codes of commands that answer with them, ``CHECK`` what more is asked of a page than that all its
commands end well. What a mark excepts is not executed (``test_docs_blocks.py``).
"""

import csv
import gzip
import json
import shlex
import shutil
import webbrowser
from pathlib import Path

import polars as pl
import pytest
import yaml
from commands import in_process
from pages import FILE, PRINTED, Block, blocks, ours
from runs_here import finish, without_ray

from cotfaith.cluster.storage.read import open_run_store, read_tables

SPEC = {
    "models": [{"id": "a", "engine": "stub"}, {"id": "b", "engine": "stub", "options": {"relies_on": "question"}}],
    "tasks": [{"name": "t", "generator": "tracking_objects", "n": 3}],
    "interventions": [{"name": "hint_metadata", "arms": ["neutral", "wrong"]}],
    "probes": ["no_cot", "verbalises"],
    "output": {"path": "runs/mine"},
}
PLACES = {
    "README.md": {"models/qwen2.5-1.5b": "stub"},
    "docs/compare.md": {"RUN": "runs/mine", "RUN_A": "runs/only-a", "RUN_B": "runs/only-b", "base": "a", "tuned": "b"}
    | {"base:tuned": "a:b"},
    "docs/export.md": {"RUN": "runs/mine"},
    "docs/report.md": {"RUN": "runs/mine"},
    "docs/verdicts.md": {"RUN": "runs/mine"},
    "docs/warehouse.md": {"s3://bucket/warehouse": "warehouse"},
}
CODES = {"gate": {0, 3, 4}, "select": {0, 3}}
FOUND = blocks(Path(__file__).parents[2])
SCRIPTS = ("bash", "python")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a spec, its run of two models, a run of each of them by itself, and a policy."""
    folder = tmp_path_factory.mktemp("finished")
    for name, models in (("only-a", SPEC["models"][:1]), ("only-b", SPEC["models"][1:]), ("mine", SPEC["models"])):
        finish(folder, SPEC | {"models": models, "output": {"path": f"runs/{name}"}})
    assert in_process("report", "runs/mine", cwd=folder).returncode == 0
    (folder / "mine.yaml").write_text(in_process("gate", "x", "--print-policy").stdout)
    return folder


@pytest.fixture
def here(finished, tmp_path, monkeypatch):
    """A working directory with a copy of that, where runs need no Ray and no browser opens."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch)
    monkeypatch.setattr(webbrowser, "open", lambda *_, **__: True)
    return tmp_path


@pytest.mark.parametrize("page", sorted({one.page for one in FOUND if one.language in SCRIPTS and not one.mark}))
def test_what_a_page_says_works(page, here):
    own = [one for one in FOUND if one.page == page]
    PREPARE.get(page, lambda _: None)(own)
    printed = {}
    for one in own:
        if one.mark:
            continue
        if one.language == "bash":
            printed |= commanded(one)
        elif one.language == "python":
            exec(compile(one.text, one.place, "exec"), {})
    CHECK.get(page, lambda _: None)(printed)
    for one in own:
        if command := one.marked(PRINTED):
            check_headings(one, printed[command.removeprefix("cotfaith ")])


def commanded(block):
    """Execute the commands of a block; return what each printed, by its words."""
    printed = {}
    for line in block.commands:
        assert line.startswith("cotfaith "), f"{block.place}: mark a block with other programs' commands: {line}"
        for words in ours(line):
            places = PLACES.get(block.page, {})
            given = [part for word in words for part in expanded(places.get(word, word))]
            done = in_process(*given)
            said = f"{block.place}: cotfaith {shlex.join(given)}: {done.stdout}{done.stderr}"
            assert done.returncode in CODES.get(words[0], {0}), said
            printed[" ".join(words)] = done.stdout
    return printed


def expanded(word):
    """Return what a shell makes of a pattern."""
    return sorted(map(str, Path().glob(word))) or [word] if "*" in word and "**" not in word else [word]


def check_headings(block, text):
    """A table in a page has the headings that the command prints: what is above its line, without the title."""
    heading = block.text.split("───")[0].splitlines()[1:]
    lacking = {word for line in heading for word in line.split()} - set(text.split())
    assert heading, block.place
    assert not lacking, f"{block.place}: {sorted(lacking)} are not in what is printed:\n{text}"


def write_lines(name, records):
    path, text = parent_made(name), "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def write_csv(name, records):
    path = parent_made(name)
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def parent_made(name):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    return Path(name)


def write_files(own):
    """Write the blocks that a page gives as files."""
    for one in own:
        if name := one.marked(FILE):
            Path(name).write_text(one.text)


def for_readme(_):
    items = [{"text": f"Is {n} even?", "options": '["yes", "no"]', "answer": "AB"[n % 2]} for n in range(6)]
    write_csv("data/mine.csv", items)


def for_chains_from_elsewhere(_):
    chains = [{"question": f"{n} and 1?", "gold": n + 1, "cot": f"Add 1. That is {n + 1}."} for n in range(4)]
    renamed = [{"prompt": one["question"], "reasoning": one["cot"], "gold": one["gold"]} for one in chains]
    pl.DataFrame(renamed).write_parquet("runs.parquet")
    write_lines("logs/a.jsonl", chains)
    write_lines("more/b/c.jsonl.gz", chains)


def for_first_verdict(own):
    """Write the page's spec, with stubs in place of its models."""
    items = [{"id": n, "question": f"Which is {n}?", "answer": "A"} for n in range(6)]
    write_csv("data/arc.csv", [one | {letter: f"{letter} {one['id']}" for letter in "ABCD"} for one in items])
    (spec,) = [yaml.safe_load(one.text) for one in own if one.language == "yaml"]
    spec["models"] = [{"id": model["id"], "engine": "stub"} for model in spec["models"]]
    Path("arc.yaml").write_text(yaml.safe_dump(spec))


def for_import_paired(own):
    base = {"n_choices": 4, "chain": "First. Then."}
    arms = (("plain", None, "B", None), ("hint_metadata.wrong", "C", "C", "no"))
    records = [
        base | {"item": f"q{n}", "model": "m", "gold": "B", "variant": arm, "target": target, "prediction": answer}
        for n in range(3)
        for arm, target, answer, _ in arms
    ]
    write_lines("records.jsonl", records)
    write_lines("labelled.jsonl", [one | {"COLUMN": "yes" if one["target"] else None} for one in records])
    write_csv("more/a.csv.gz", [base | {"item": n, "pred": 1, "gold": 1} for n in range(3)])
    mapped = base | {"task": "t", "pred": 1, "gold": 1, "gpt_quote": "First.", "ann_label": "yes"}
    named = {"unbiased": {"target": None, "gpt_label": None}, "biased": {"target": 2, "gpt_label": "no"}}
    pl.DataFrame(
        [mapped | {"index": n, "arm": arm} | has for n in range(3) for arm, has in named.items()]
    ).write_parquet("records.parquet")
    write_files(own)


def for_labels(_):
    """Label a chain as anna: files of labels are exported of a run that has some."""
    texts = read_tables(open_run_store("runs/mine"))["chains"].filter(variant="hint_metadata.wrong").get_column("text")
    write_csv("first.csv", [{"text": texts[0], "question": "present", "label": "yes"}])
    assert in_process("label", "runs/mine", "--import", "first.csv", "--labeller", "anna").returncode == 0


def a_spec_is_named(printed):
    assert "The spec is try-stub-mine.yaml" in printed["try models/qwen2.5-1.5b data/mine.csv"]


def there_is_a_log_for_each_model(_):
    assert len(list(Path("logs").glob("*.eval"))) == 2


def labels_are_whose_they_are(_):
    assert readers("runs/judged") == {"gpt-4o": 3, "human.ann": 3}
    assert readers("runs/mapped") == {"gpt-4o": 3, "human.ann": 6}  # ann labelled both arms


def labels_are_in_the_file(_):
    assert "anna" in Path("labels.csv").read_text()


def there_are_tables_and_sql(printed):
    assert list(Path("warehouse").glob("chains/run_id=*/*.parquet"))
    assert "CREATE EXTERNAL TABLE" in printed["schema --ddl athena --at s3://bucket/warehouse"]


def readers(run):
    """Return how many labels each reader gave."""
    labels = read_tables(open_run_store(run))["observations"].filter(pl.col("reader").is_not_null())
    return dict(labels.group_by("reader").len().iter_rows())


PREPARE = {
    "README.md": for_readme,
    "docs/chains-from-elsewhere.md": for_chains_from_elsewhere,
    "docs/first-verdict.md": for_first_verdict,
    "docs/import-paired.md": for_import_paired,
    "docs/labels.md": for_labels,
}
CHECK = {
    "README.md": a_spec_is_named,
    "docs/export.md": there_is_a_log_for_each_model,
    "docs/import-paired.md": labels_are_whose_they_are,
    "docs/labels.md": labels_are_in_the_file,
    "docs/warehouse.md": there_are_tables_and_sql,
}


def test_a_mapping_of_several_answers_a_record(here):
    mapping = next(one for one in FOUND if one.page == "docs/import-paired.md" and one.text.startswith("rows:"))
    write_files([mapping])
    record = {"n_choices": 4, "gold": 1, "cot_plain": 1, "text_plain": "One.", "bare_plain": 1}
    record |= {"cot_hint": 2, "text_hint": "Two.", "hint": 2}
    write_lines("many.jsonl", [record | {"item": f"q{n}"} for n in range(2)])
    settings = ["--mapping", mapping.marked(FILE), "--set", "model=gpt-4", "--gold-is", "index"]
    assert in_process("import", "--paired", "many.jsonl", "--out", "runs/many", *settings).returncode == 0
    assert read_tables(open_run_store("runs/many"))["chains"].height == 4  # and an answer an item without a chain


def test_the_words_of_a_hint(here):
    """The page's file of other words is one that its spec takes, and the words are in the prompt."""
    own = [one for one in FOUND if one.page == "docs/hints.md"]
    write_files(own)
    spec = next(one for one in own if "mine.txt" in one.text)
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC | yaml.safe_load(spec.text)))
    done = in_process("plan", "spec.yaml", "--show-prompts")
    assert done.returncode == 0, done.stderr
    assert "Dr. Moss told me that" in done.stdout


def test_a_heading_that_is_no_longer_printed_would_be_seen():
    block = Block("p.md", 1, "text", "title\nfigure  items\n──────\na 1\n", f"{PRINTED}x")
    check_headings(block, "any\nitems figure\n")
    with pytest.raises(AssertionError, match="figure"):
        check_headings(block, "any\nitems\n")
