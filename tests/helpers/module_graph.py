"""The import graph, read from the sources: module -> modules and packages, each under its full name.

Every import counts, including one inside a function. ``from package import name`` is an import of the module
``package.name`` if there is one.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

FOLDERS = ("schemas", "workers", "cluster")
Graph = Mapping[str, frozenset[str]]


def read_graph(root: Path) -> Graph:
    """Return the imports of every module under the root's three folders."""
    files = {
        _name(path.relative_to(root)): path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))
    }
    return {module: frozenset(imports(path, files) - {module}) for module, path in files.items()}


def _name(path: Path) -> str:
    return ".".join(("cotfaith", *path.with_suffix("").parts)).removesuffix(".__init__")


def imports(path: Path, modules: Mapping[str, object]) -> set[str]:
    """Return what a file imports; ``modules``: the names that are modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in modules else str(node.module) for name in whole}
    return found


def importers(graph: Graph, *names: str) -> set[str]:
    """Return the modules that import one of ``names`` or something inside it."""
    return {module for module, used in graph.items() if any(within(other, *names) for other in used)}


def within(module: str, *names: str) -> bool:
    """Return whether ``module`` is one of ``names`` or inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


def upward(graph: Graph, order: Sequence[str]) -> list[str]:
    """Return the imports that break ``order``, as "module -> module".

    Args:
        graph: the imports.
        order: lines from the bottom up, each of modules and packages parted by blanks; the longest name that holds a
            module places it. A module may import what is on lines before its own, and what is under its own name.

    """
    rank = {f"cotfaith.{name}": line for line, names in enumerate(order) for name in names.split()}
    places = {module: place for module in graph if (place := _place(module, rank))}
    return [
        f"{module} -> {other}"
        for module, place in places.items()
        for other in sorted(graph[module] & places.keys())
        if places[other] != place and rank[places[other]] >= rank[place]
    ]


def _place(module: str, rank: Mapping[str, int]) -> str:
    return max((name for name in rank if within(module, name)), key=len, default="")


def circles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components of more than one module (Tarjan 1972)."""
    return [sorted(found) for found in _components(graph) if len(found) > 1]


def _components(graph: Graph) -> Iterator[list[str]]:
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> Iterator[list[str]]:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph[module] & graph.keys():
            if other not in index:
                yield from visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            at = stack.index(module)
            yield stack[at:]
            del stack[at:]

    for module in graph:
        if module not in index:
            yield from visit(module)
