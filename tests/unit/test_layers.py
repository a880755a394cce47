"""Who may import whom: schemas <- workers <- cluster, an order within the last two, and no circle anywhere."""

import re
import subprocess
import sys

import pytest
from module_graph import circles, importers, read_graph, upward, within

import cotfaith

# From the bottom up: a line may import the lines above it. The longest name that holds a module places it.
FOLDERS = ("schemas", "workers", "cluster")
CLUSTER = (
    "cluster.marks cluster.colours cluster.durations cluster.yaml_text",
    "cluster.terminal",
    "cluster.storage",
    "cluster.labelling.label",
    "cluster.labelling.read",
    "cluster.plan cluster.stats",
    "cluster.labelling",
    "cluster.fleet cluster.validation",
    "cluster.report.moves",  # what both the report and the comparison of runs count
    "cluster.verdicts",
    "cluster.report",
    "cluster.api cluster.imports",
    "cluster.frames cluster.export",
    "cluster.cli",
)
WORKERS = (
    "workers.limits",
    "workers.plugins workers.text workers.engines.precision workers.engines.cores workers.remote workers.log_lines",
    "workers.engines.threads workers.engines.float32_copy",
    "workers.registry workers.engines.protocol workers.text.answers",
    "workers.tasks workers.engines.kind workers.engines.stops workers.engines.next_tokens workers.engines.pretrained",
    "workers.organisms",  # their folders, grammar, recipes and truth
    "workers.sources workers.interventions",
    "workers.judges",
    "workers.labels workers.text.codec",
    "workers.text.conversation workers.text.spelled",
    "workers.text.templates workers.text.template_opening",
    "workers.text.turn_templates",
    "workers.engines",
    "workers.shard.request",
    "workers.shard.rounds",
    "workers.roles workers.strategies",
    "workers.text.template_check workers.shard.ask",
    "workers.readings",
    "workers.probes.lib",
    "workers.probes",
    "workers.resolved",
    "workers.shard",
    "workers.actor workers.organisms.examples workers.organisms.evaluate",
    "workers.organisms.train workers.demo",
    "workers.organisms.make",
)
RAY = ("cotfaith.cluster.fleet", "cotfaith.cluster.cli", "cotfaith.workers.actor")
TORCH = ("cotfaith.workers.engines", "cotfaith.workers.organisms.train", "cotfaith.workers.demo")
PUBLIC = [
    "Adapter",
    "Answer",
    "Arm",
    "Ask",
    "Capabilities",
    "Chain",
    "Column",
    "CotfaithError",
    "Curve",
    "Differences",
    "Draw",
    "Edit",
    "Engine",
    "EngineKind",
    "Estimate",
    "Framing",
    "GenerateRequest",
    "Generation",
    "Generator",
    "Headlines",
    "Hint",
    "InputError",
    "Intervention",
    "Item",
    "Judge",
    "Judged",
    "Judgement",
    "Matrix",
    "Metric",
    "ModelSpec",
    "NoOptions",
    "Observation",
    "Paired",
    "Part",
    "Probe",
    "ProbeMetrics",
    "ProbeRun",
    "Remark",
    "ReportSection",
    "Request",
    "Rows",
    "RunFrames",
    "RunHandle",
    "RunSpec",
    "ScoreRequest",
    "Scores",
    "Section",
    "Shape",
    "Source",
    "Status",
    "Supplied",
    "TaskSpec",
    "Turn",
    "Value",
    "Variant",
    "Words",
    "__version__",
    "chain_curves",
    "chain_means",
    "continued",
    "difference",
    "grid_scores",
    "load_spec",
    "measured",
    "of_chain",
    "of_probe",
    "ok",
    "over",
    "parse_spec",
    "read",
    "read_estimates",
    "register",
    "run",
    "scores",
]


@pytest.fixture(scope="module")
def graph(repo):
    found = read_graph(repo)
    assert len(found) > 200
    return found


@pytest.mark.parametrize("order", [FOLDERS, CLUSTER, WORKERS], ids=["folders", "cluster", "workers"])
def test_no_import_goes_upwards(graph, order):
    found = upward(graph, order)
    assert not found, "\n".join(["These imports go upwards:", *found])


@pytest.mark.parametrize(("folder", "order"), [("cluster", CLUSTER), ("workers", WORKERS)])
def test_the_order_places_every_module(graph, folder, order):
    names = [f"cotfaith.{name}" for line in order for name in line.split()]
    assert len(names) == len(set(names))
    unplaced = {m for m in graph if within(m, f"cotfaith.{folder}") and not within(m, *names)}
    assert unplaced == {f"cotfaith.{folder}"}


def test_there_is_no_import_circle(graph):
    found = circles(graph)
    assert not found, "\n".join(["These modules import one another:", *map(" -> ".join, found)])


def test_schemas_import_pydantic_and_pyarrow_only(graph):
    allowed = {*sys.stdlib_module_names, "pydantic", "pydantic_core", "pyarrow", "cotfaith.schemas"}
    of_schemas = {module: used for module, used in graph.items() if within(module, "cotfaith.schemas")}
    foreign = [
        f"{module} -> {name}" for module, used in of_schemas.items() for name in used if not within(name, *allowed)
    ]
    assert not foreign


@pytest.mark.parametrize(("library", "places"), [("ray", RAY), ("torch", TORCH)])
def test_libraries_are_known_in_their_places_only(graph, library, places):
    users = importers(graph, library)
    assert users
    assert not [f"{module} -> {library}" for module in users if not within(module, *places)]


def test_one_file_of_workers_knows_ray(graph):
    assert [module for module in importers(graph, "ray") if "workers" in module] == ["cotfaith.workers.actor.remote"]


def test_nothing_is_imported_under_a_second_name(repo):
    """``import cluster`` finds the same files where the checkout is on the path, as other modules."""
    wrong = re.compile(r"^\s*(?:from|import) (?:schemas|workers|cluster)\b", re.MULTILINE)
    places = ("schemas", "workers", "cluster", "tests", "examples", "benchmarks")
    found = [path for place in places for path in (repo / place).rglob("*.py") if wrong.search(path.read_text())]
    assert not found
    assert wrong.search("if x:\n    from cluster.plan import plan")


def test_nothing_is_decided_by_an_items_metadata(repo):
    """It is written and read as rows, and its author is written into files; what decides something is a field."""
    files = [path for place in FOLDERS for path in (repo / place).rglob("*.py")]
    found = {path.relative_to(repo).as_posix() for path in files if re.search(r"\bitem\.metadata\b", path.read_text())}
    assert found == {"workers/shard/rows.py", "cluster/imports/recorded.py"}


@pytest.mark.parametrize(
    ("code", "left_out"),
    [
        ("import cotfaith", "ray torch transformers polars pyarrow numpy"),
        ("from cotfaith import *", "ray torch transformers"),
        ("import cotfaith.cluster.plan.plan, cotfaith.cluster.cli.app", "torch"),
    ],
)
def test_what_loads_much_is_not_imported(code, left_out):
    code = f"{code}\nimport sys; print(*(name for name in {left_out.split()} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_public_names():
    assert cotfaith.__all__ == PUBLIC
    assert all(hasattr(cotfaith, name) for name in PUBLIC)
    assert set(PUBLIC) <= set(dir(cotfaith))
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = cotfaith.runn


def test_the_graph_sees_what_it_should(tmp_path):
    """The checks above can fail: a small package with an import upwards, in a function, and a circle."""
    for name, text in {
        "schemas/a.py": "import json",
        "workers/b.py": "from cotfaith.schemas import a\ndef f():\n    from cotfaith.cluster.c import x",
        "cluster/c.py": "from cotfaith.workers.b import f",
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    graph = read_graph(tmp_path)
    assert graph["cotfaith.schemas.a"] == {"json"}
    assert upward(graph, FOLDERS) == ["cotfaith.workers.b -> cotfaith.cluster.c"]
    assert circles(graph) == [["cotfaith.cluster.c", "cotfaith.workers.b"]]
