"""schemas <- workers <- cluster; Ray in cluster/ and one file of workers/; torch only in the engines."""

import ast
import subprocess
import sys

import cotfaith


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def sources(repo, folder):
    found = sorted((repo / folder).rglob("*.py"))
    assert found
    return {path.relative_to(repo).as_posix(): set(imports(path)) for path in found}


def starts(names, *prefixes):
    return {n for n in names if any(n == p or n.startswith(p + ".") for p in prefixes)}


def test_schemas_import_pydantic_and_pyarrow_only(repo):
    allowed = set(sys.stdlib_module_names) | {"pydantic", "pydantic_core", "pyarrow"}
    for path, names in sources(repo, "schemas").items():
        foreign = {n for n in names if n.split(".")[0] not in allowed and not n.startswith("cotfaith.schemas")}
        assert not foreign, path


def test_workers_do_not_import_cluster(repo):
    for path, names in sources(repo, "workers").items():
        assert not starts(names, "cotfaith.cluster"), path


def test_ray_is_known_to_one_file_of_workers(repo):
    users = [path for path, names in sources(repo, "workers").items() if starts(names, "ray")]
    assert users == ["workers/actor/remote.py"]


def test_torch_is_known_to_the_engines_alone(repo):
    allowed = {"workers/demo.py", "workers/engines/transformers/sampling.py", "workers/organisms/train.py"}
    for folder in ("workers", "cluster"):
        for path, names in sources(repo, folder).items():
            if starts(names, "torch"):
                assert path.startswith("workers/engines/") or path in allowed, path


def module_of(path):
    """The dotted name below the root: workers.text.codec."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def graph(repo):
    """Module -> modules of ours that it imports anywhere, in functions and for types too."""
    paths = {
        module_of(p.relative_to(repo)): p for f in ("schemas", "workers", "cluster") for p in (repo / f).rglob("*.py")
    }
    return {module: set(imported(path, paths)) - {module} for module, path in paths.items()}


def imported(path, known):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cotfaith."):
            home = node.module.removeprefix("cotfaith.")
            yield from (f"{home}.{a.name}" if f"{home}.{a.name}" in known else home for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("cotfaith.") for a in node.names if a.name.startswith("cotfaith."))


def in_circles(edges):
    """The modules that are left when those that import nothing that is left are taken away, again and again."""
    left = dict(edges)
    while free := [module for module, uses in left.items() if not uses & left.keys()]:
        for module in free:
            del left[module]
    return {module for module in left if any(module in left[other] for other in left)}


def test_no_import_circle(repo):
    edges = graph(repo)
    assert "schemas.errors" in edges["workers.shard.loop"]
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"b", "c"}
    assert in_circles(edges) == set()


def test_plan_imports_no_torch():
    code = "import sys, cotfaith.cluster.plan.plan, cotfaith.cluster.cli.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_names():
    assert cotfaith.__all__ == ["CotfaithError", "InputError", "RunSpec", "Status", "__version__", "parse_spec"]
    assert all(hasattr(cotfaith, name) for name in cotfaith.__all__)
