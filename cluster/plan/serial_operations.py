"""How many operations of a part of a forward pass wait for each other: upper bounds, from a model's configuration.

In: the configuration of a language model whose family is known. Out: numbers of operations. Reads no weights.

The rules are those of the tool published with arXiv 2603.09786 (github.com/google-deepmind/serial_depth, README): what
is done to each number alone is one operation; a sum or maximum over n numbers takes ceil(log2 n); a matrix product over
n, one more than that; moving and looking up data, none. Changes of precision are not counted here. Where models of a
family differ (biases, gates, rotary positions), the longer form counts, so that the number stays a bound.
"""

from typing import Any

from cotfaith.schemas.errors import UncountedError

_ACTIVATIONS = {"relu": 1, "relu2": 2, "silu": 2, "swish": 2, "gelu": 4, "gelu_new": 7, "gelu_pytorch_tanh": 7}
"""Operations: silu is a sigmoid and a product; gelu by its error function, or by tanh of a cubic."""
ADD, MULTIPLY, CAP, _ROTARY, _SOFTPLUS = 1, 1, 3, 3, 3
"""Cap: quotient, tanh, product. Rotary positions: sign, product, sum. Softplus: exponential, sum, logarithm."""
_PER_LEVEL = 2
"""Operations to join two parts of a linear recurrence h = a h + b: a product, then a sum."""


def levels(n: int) -> int:
    """Return ceil(log2 n), the operations of a sum over ``n`` numbers."""
    return (n - 1).bit_length()


def product(n: int) -> int:
    """Return the operations of a matrix product over ``n`` numbers."""
    return 1 + levels(n)


def linear(n: int) -> int:
    """Return the operations of a linear map of ``n`` numbers, with its bias."""
    return product(n) + ADD


def layer_norm(n: int) -> int:
    """Return the operations of a layer norm of ``n`` numbers, which are more than those of a root mean square norm.

    Mean, difference, square, mean, epsilon, root, product, scale, shift.
    """
    return 2 * (levels(n) + 1) + 7


def rms_norm(n: int) -> int:
    """Return the operations of a root mean square norm: square, mean, epsilon, root, product, scale."""
    return levels(n) + 1 + 5


def softmax(n: int) -> int:
    """Return the operations of a softmax over ``n`` numbers: maximum, difference, exponential, sum, quotient."""
    return 2 * levels(n) + 3


def activation(config: Any) -> int:
    """Return the operations of the model's activation; raise ``UncountedError`` if it is another than those known."""
    named = [getattr(config, name, None) for name in ("hidden_activation", "hidden_act", "activation_function")]
    name = next((one for one in named if one), None)
    if name not in _ACTIVATIONS:
        raise UncountedError(f"the operations of its activation {name!r} are not known")
    return _ACTIVATIONS[name]


def attention(config: Any, positions: int, query_norm: bool) -> int:
    """Return the operations of attention over ``positions``, with a norm of queries and keys if the family has one.

    Queries, keys and values are made side by side: the longest of the three counts.
    """
    d, heads = number(config, "hidden_size"), number(config, "num_attention_heads")
    head = getattr(config, "head_dim", None) or d // heads
    cap = CAP if getattr(config, "attn_logit_softcapping", None) else 0
    asked = linear(d) + (rms_norm(heads * head) if query_norm else 0) + _ROTARY
    scores = product(head) + MULTIPLY + cap + ADD + softmax(positions)
    return asked + scores + product(positions) + linear(heads * head)


def feed_forward(config: Any, inner: int) -> int:
    """Return the operations of a feed-forward block with ``inner`` numbers and a gate."""
    return linear(number(config, "hidden_size")) + activation(config) + MULTIPLY + linear(inner)


def mixture(config: Any, inner: int, experts: int, chosen: int) -> int:
    """Return the operations of a block of experts: the router beside the experts, then their weighted sum.

    All experts work side by side, so their number adds only to the choice and the sum.
    """
    router = linear(number(config, "hidden_size")) + softmax(experts) + levels(experts) + softmax(chosen) + MULTIPLY
    return max(router, feed_forward(config, inner)) + product(experts)


def selective_scan(config: Any, inner: int, state: int, window: int, rank: int, positions: int) -> int:
    """Return the operations of a Mamba block (arXiv 2312.00752): convolution, step sizes, scan, output.

    The recurrence is linear, so ``positions`` can be joined two by two (a parallel scan): the operations grow with
    their logarithm. Norms of step sizes and states are counted.
    """
    mixed = linear(number(config, "hidden_size")) + product(window) + ADD + activation(config)
    sizes = linear(inner) + rms_norm(max(rank, state)) + linear(rank) + _SOFTPLUS
    prepared = 2 * MULTIPLY  # a: product with A and exponential; b: two products
    return mixed + sizes + prepared + _PER_LEVEL * levels(positions) + product(state) + ADD + MULTIPLY + linear(inner)


def number(config: Any, *names: str) -> int:
    """Return the first whole number above 0 under these names; raise ``UncountedError`` if there is none."""
    for name in names:
        found = getattr(config, name, None)
        if isinstance(found, int) and not isinstance(found, bool) and found > 0:
            return found
    raise UncountedError(f"its configuration states no {names[0]}")
