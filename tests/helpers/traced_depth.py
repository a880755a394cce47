"""The depth of a forward pass, traced operation by operation: a check of depths that are computed from configurations.

In: a torch model with eager attention, and token ids. Out: the longest chain of operations from them to the logits, by
the rules in ``cluster/plan/serial_operations.py``; changes of precision are free. Positions, masks and the choice of
experts (whole numbers) have depth 0, as weights do: all experts could work side by side. An operation with no rule
fails.
"""

from math import prod

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

FREE = {
    *("view", "_unsafe_view", "permute", "transpose", "t", "expand", "unsqueeze", "squeeze", "alias", "detach"),
    "clone",
    *("slice", "select", "split", "split_with_sizes", "unbind", "cat", "stack", "index", "embedding", "_to_copy"),
    *("zeros", "zeros_like", "new_ones", "arange", "scalar_tensor", "lift_fresh", "_local_scalar_dense"),
    *("where", "eq", "ne", "gt", "le", "bitwise_and", "all", "aminmax", "nonzero", "scatter_"),
}
"""Moving data; and masks, and the choice of experts, which depend on no number of the stream."""
ONE = ("add", "sub", "mul", "div", "neg", "pow", "rsqrt", "exp", "tanh", "sin", "cos", "index_add")
OPERATIONS = dict.fromkeys(ONE, 1) | {"silu": 2, "softplus": 3}


def levels(n):
    return (int(n) - 1).bit_length()


def cost(name, args, kwargs):
    if name in FREE:
        return 0
    if name in ("mm", "bmm"):
        return 1 + levels(args[0].shape[-1])
    if name == "addmm":
        return 2 + levels(args[1].shape[-1])
    if name == "_softmax":
        return 2 * levels(args[0].shape[args[1]]) + 3
    if name in ("mean", "sum"):
        sizes = args[0].shape if len(args) < 2 else [args[0].shape[d] for d in args[1]]
        return levels(prod(sizes)) + (name == "mean")
    if name == "native_layer_norm":
        return 2 * (levels(prod(args[1])) + 1) + 7
    if name == "gelu":
        return 7 if kwargs.get("approximate") == "tanh" else 4
    if name == "convolution":
        return 2 + levels(prod(args[1].shape[1:]))
    if name in ("topk", "cumsum"):
        return levels(args[0].shape[-1])
    return OPERATIONS[name.rstrip("_")]


def is_real(one):
    return isinstance(one, torch.Tensor) and one.is_floating_point()


class Traced(TorchDispatchMode):
    """Follows the depth of every tensor; keeps all of them, so that no id is used twice."""

    def __init__(self):
        super().__init__()
        self.depth, self.kept = {}, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        name = func._schema.name.split("::")[1]
        given = [self.depth.get(id(one), 0) for one in tree_leaves((args, kwargs)) if is_real(one)]
        after = max(given, default=0) + cost(name, args, kwargs)
        for one in tree_leaves(made):
            if is_real(one):
                self.depth[id(one)] = max(after, self.depth.get(id(one), 0))
                self.kept.append(one)
        return made


def traced_depth(model, n_tokens):
    """Return the depth of the logits of the last of ``n_tokens`` tokens."""
    ids = torch.arange(n_tokens)[None] % model.config.get_text_config().vocab_size
    with torch.no_grad(), Traced() as seen:
        logits = model(input_ids=ids, use_cache=False).logits
    return seen.depth[id(logits)]
