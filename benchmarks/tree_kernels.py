"""The tree's attention against torch's flex_attention, on one layer's shapes: is either wrong, and which is faster?

    python benchmarks/tree_kernels.py [--model FOLDER] [--dtype bfloat16] [--steps 60] [--chains 8] [--json FILE]

The engine attends by blocks, each over the columns that it may see (``tree_attention``). The other way is one
flex_attention with a mask of ancestors over the whole pass, compiled if there is a GPU. Both get the engine's own
passes of early answering, with random queries, keys and values, and are compared with dense float64 attention whose
mask comes from the sequences' paths, not from the ranks that both ways read. A pass costs its masks once and the
attention of each layer. flex_attention is padded to powers of two, since it compiles again for each shape. No weights
are loaded.

T = nodes of a pass, C = its columns, H = query heads, G = key-value heads, D = head width.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from itertools import product
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from measure import parser, timed
from rich.console import Console
from rich.table import Table
from texts import probe_requests, shard, written_chains
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.functional import pad
from transformers import AutoConfig

from cotfaith.workers.engines.next_tokens import wanted_tokens
from cotfaith.workers.engines.transformers.prefix_tree import TreePass, pack
from cotfaith.workers.engines.transformers.tree_attention import attending, tree_attention_forward

BUDGET = 2048
"""Nodes of a pass, as in the engine."""
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2, "float16": 3e-3}
"""The most by which an attention value may differ from the float64 one, over one plus its size."""
LEAST = 128
"""Rows that flex_attention is padded to at the least: a block of its masks."""
ERROR = 1000
"""The characters of an error that are kept."""
NUMBERS = {"masks_s": "masks, ms", "layer_s": "a layer, ms", "pass_s": "a pass, ms", "compile_s": "compile, ms"}

Way = Callable[[], Tensor]


def passes_of(model: str, steps: int, chains: int, budget: int = BUDGET) -> list[TreePass]:
    """Return two of the engine's passes for early answering: that with most columns, and that with fewest nodes."""
    work = shard(model, chains)
    requests = probe_requests(work, written_chains(work, steps), "early_answering")
    passes = pack(list(wanted_tokens(requests)), budget)
    chosen = [max(passes, key=lambda tree: len(tree.rank_C)), min(passes, key=len)]
    return chosen if chosen[0] is not chosen[1] else chosen[:1]


def seen_by_paths(tree: TreePass) -> np.ndarray[Any, Any]:
    """Return a mask (T, C) of ancestors: what comes before a node on any sequence's way through it."""
    seen_TC = np.zeros((len(tree), len(tree.rank_C)), dtype=bool)
    for path in (*tree.nodes.values(), tree.cut):
        for n, column in enumerate(path):
            if column >= tree.before:
                seen_TC[column - tree.before, path[: n + 1]] = True
    return seen_TC


def exact(query_1HTD: Tensor, key_1GCD: Tensor, value_1GCD: Tensor, seen_TC: Tensor) -> Tensor:
    """Return attention_1THD in float64, head by head."""
    repeats = query_1HTD.shape[1] // key_1GCD.shape[1]
    heads = []
    for head, query_TD in enumerate(query_1HTD[0].double()):
        key_CD, value_CD = (x_1GCD[0, head // repeats].double() for x_1GCD in (key_1GCD, value_1GCD))
        scores_TC = (query_TD @ key_CD.T * query_TD.shape[-1] ** -0.5).masked_fill(~seen_TC, -torch.inf)
        heads.append(scores_TC.softmax(-1) @ value_CD)
    return torch.stack(heads, dim=1)[None]


class Compared:
    """One pass, in one precision."""

    def __init__(self, config: Any, tree: TreePass, dtype: str, device: str) -> None:
        self.config, self.tree, self.dtype, self.device = config, tree, dtype, torch.device(device)
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        groups, columns = config.num_key_value_heads, len(tree.rank_C)
        torch.manual_seed(0)

        def numbers(heads: int, count: int) -> Tensor:
            return torch.randn(1, heads, count, width, dtype=getattr(torch, dtype), device=self.device)

        self.inputs = (
            numbers(config.num_attention_heads, len(tree)),
            numbers(groups, columns),
            numbers(groups, columns),
        )
        self.exact_1THD = exact(*self.inputs, torch.from_numpy(seen_by_paths(tree)).to(self.device))

    def measure(self, repeats: int) -> dict[str, Any]:
        """Return both ways' times and errors."""
        return {
            "dtype": self.dtype,
            "nodes": len(self.tree),
            "columns": len(self.tree.rank_C),
            "tree": self._tree(repeats),
            "flex_attention": self._flex_or_error(repeats),
        }

    def _tree(self, repeats: int) -> dict[str, Any]:
        layer = SimpleNamespace(config=self.config, is_causal=True, layer_idx=0)
        model = SimpleNamespace(config=self.config)

        def attend() -> Tensor:
            return tree_attention_forward(layer, *self.inputs, None)[0]

        with attending(model, self.tree):
            attend()  # warm-up
        with attending(model, self.tree):
            first_s, _ = timed(attend)  # makes the masks of all layers
            layer_s, found = _layer(attend, repeats)
        return self._row(first_s - layer_s, layer_s, found, None)

    def _flex_or_error(self, repeats: int) -> dict[str, Any]:
        """Not every shape and precision has a kernel; that takes nothing from the tree's numbers."""
        try:
            return self._flex(repeats)
        except Exception as error:
            missing = dict.fromkeys(("masks_s", "layer_s", "pass_s", "compile_s", "largest_error"))
            return {**missing, "equal": False, "error": f"{type(error).__name__}: {str(error)[:ERROR]}"}

    def _flex(self, repeats: int) -> dict[str, Any]:
        nodes, columns = (_padded(n) for n in (len(self.tree), len(self.tree.rank_C)))
        rank_T, rank_C, end_C = (
            self._ids(ids, count, missing)
            for ids, count, missing in (
                (self.tree.rank_C[self.tree.before :], nodes, -1),
                (self.tree.rank_C, columns, 0),
                (self.tree.end_C, columns, -1),
            )
        )

        def seen(batch: Tensor, head: Tensor, node: Tensor, column: Tensor) -> Tensor:
            return (rank_C[column] <= rank_T[node]) & (rank_T[node] < end_C[column])

        def mask() -> Any:
            return create_block_mask(seen, None, None, nodes, columns, device=self.device)

        query, key, value = (
            pad(x, (0, 0, 0, length - x.shape[2]))
            for x, length in zip(self.inputs, (nodes, columns, columns), strict=True)
        )
        kernel = torch.compile(flex_attention, dynamic=False) if self.device.type == "cuda" else flex_attention
        mask()  # warm-up
        mask_s, blocks = timed(mask)

        def attend() -> Tensor:
            attention_1HTD: Tensor = kernel(query, key, value, block_mask=blocks, enable_gqa=True)
            return attention_1HTD[:, :, : len(self.tree)].transpose(1, 2)

        first_s, _ = timed(attend)
        layer_s, found = _layer(attend, repeats)
        return self._row(mask_s, layer_s, found, first_s - layer_s if self.device.type == "cuda" else None)

    def _ids(self, ids: Any, count: int, missing: int) -> Tensor:
        return torch.from_numpy(np.pad(ids, (0, count - len(ids)), constant_values=missing)).to(self.device)

    def _row(self, masks_s: float, layer_s: float, found: Tensor, compile_s: float | None) -> dict[str, Any]:
        error = float(((found.double() - self.exact_1THD).abs() / (1 + self.exact_1THD.abs())).max())
        return {
            "masks_s": max(0.0, masks_s),
            "layer_s": layer_s,
            "pass_s": max(0.0, masks_s) + self.config.num_hidden_layers * layer_s,
            "compile_s": compile_s,
            "largest_error": error,
            "equal": error <= TOLERANCE[self.dtype],
            "error": None,
        }


def _padded(count: int) -> int:
    return max(LEAST, 1 << (count - 1).bit_length())


def _layer(attend: Way, repeats: int) -> tuple[float, Tensor]:
    """Return the median time of one layer, and its result."""
    results = [timed(attend) for _ in range(repeats)]
    return median(seconds for seconds, _ in results), results[-1][1]


def show(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Print both ways' times and errors."""
    table = Table("dtype", "nodes", "columns", "way", *NUMBERS.values(), "largest error", "")
    for row in rows:
        where = [str(row[key]) for key in ("dtype", "nodes", "columns")]
        for name in ("tree", "flex_attention"):
            way = row[name]
            times = ["" if way[key] is None else f"{1e3 * way[key]:.2f}" for key in NUMBERS]
            off = "" if way["largest_error"] is None else f"{way['largest_error']:.1e}"
            table.add_row(*where, name, *times, off, way["error"] or ("equal" if way["equal"] else "NOT EQUAL"))
    console.print(table)
    for row in rows:
        ratio = row["tree_over_flex_attention"]
        said = "its times say nothing here" if ratio is None else f"the tree takes {ratio:.2f}x"
        console.print(f"{row['dtype']}, {row['nodes']} nodes, against flex_attention: {said}", highlight=False)


def compared(options: argparse.Namespace, device: str) -> list[dict[str, Any]]:
    """Return a row for each precision and pass; the ratio is null where flex_attention failed or is not compiled."""
    config = AutoConfig.from_pretrained(options.model)
    passes = passes_of(options.model, options.steps, options.chains, options.token_budget)
    rows = []
    for dtype, tree in product(dict.fromkeys((options.dtype, "float32")), passes):
        row = Compared(config, tree, dtype, device).measure(options.repeats)
        ours_s, flex_s = row["tree"]["pass_s"], row["flex_attention"]["pass_s"]
        row["tree_over_flex_attention"] = ours_s / flex_s if device == "cuda" and flex_s else None
        rows.append(row)
    return rows


def run(options: argparse.Namespace, console: Console) -> bool:
    """Compare, print and write; return whether both ways are right."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = compared(options, device)
    show(rows, console)
    equal = all(row[way]["equal"] for row in rows for way in ("tree", "flex_attention"))
    if options.json:
        found = {"equal": equal, "compiled": device == "cuda", "tolerance": TOLERANCE, "rows": rows}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return equal


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__, repeats=5)
    made.add_argument("--steps", type=int, default=60, help="steps of a written chain")
    made.add_argument("--chains", type=int, default=8)
    made.add_argument("--token-budget", type=int, default=BUDGET, help="nodes of a pass")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(0 if run(options_of(), Console(width=160)) else 1)
