"""Nucleus sampling by inverse CDF: one uniform number decides one token.

In: logits and a uniform per row. Out: token ids. A row's result depends only on that row. Tokens are taken in the
vocabulary's order, so float noise changes a choice only if the uniform falls right on a border. The nucleus is that of
Holtzman et al. 2020.

B = rows, V = vocabulary, K = the likeliest tokens, U = rows whose nucleus is larger than that.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LIKELIEST = 256
"""How many tokens are tried as the nucleus before the whole vocabulary is sorted."""


def uniforms(seed: int, count: int) -> NDArray[np.float64]:
    """Return numbers in [0, 1): number t depends only on ``seed`` and t, not on ``count``."""
    return np.random.Generator(np.random.Philox(key=seed)).random(count)


def sample(logits_BV: Tensor, temperature_B: Tensor, top_p_B: Tensor, uniform_B: Tensor) -> Tensor:
    """Return ids_B. Temperature 0 takes the likeliest token, others the nucleus's, at ``uniform_B`` of its CDF."""
    greedy_B = temperature_B == 0
    best_B = logits_BV.argmax(dim=-1)
    if bool(greedy_B.all()):
        return best_B
    scale_B = torch.where(greedy_B, 1.0, temperature_B).float()
    probs_BV = (logits_BV.float() / scale_B[:, None]).softmax(dim=-1)
    return torch.where(greedy_B, best_B, _invert(_nucleus(probs_BV, top_p_B), uniform_B))


def _nucleus(probs_BV: Tensor, top_p_B: Tensor) -> Tensor:
    """Zero all but the smallest set of tokens with at least ``top_p``; all ties at its border stay."""
    if bool((top_p_B >= 1).all()):
        return probs_BV
    least_B = torch.where(top_p_B >= 1, 0.0, _least_kept(probs_BV, top_p_B))
    return probs_BV.where(probs_BV >= least_B[:, None], 0.0)


def _least_kept(probs_BV: Tensor, top_p_B: Tensor) -> Tensor:
    likeliest_BK = probs_BV.topk(min(LIKELIEST, probs_BV.shape[-1]), dim=-1).values
    least_B = _border(likeliest_BK, top_p_B)
    uncovered_B = (likeliest_BK.sum(dim=-1) < top_p_B) & (top_p_B < 1)
    if bool(uncovered_B.any()):
        sorted_UV = probs_BV[uncovered_B].sort(dim=-1, descending=True).values
        least_B[uncovered_B] = _border(sorted_UV, top_p_B[uncovered_B])
    return least_B


def _border(likeliest_BK: Tensor, top_p_B: Tensor) -> Tensor:
    """Return the probability of the last token that ``top_p`` needs; ``likeliest_BK`` falls along K."""
    before_BK = likeliest_BK.cumsum(dim=-1) - likeliest_BK
    last_B = (before_BK < top_p_B[:, None]).sum(dim=-1).clamp(min=1) - 1
    return likeliest_BK.gather(-1, last_B[:, None])[:, 0]


def _invert(weights_BV: Tensor, uniform_B: Tensor) -> Tensor:
    # float64: over a large vocabulary, float32 sums would shift the borders between tokens
    cumulative_BV = weights_BV.cumsum(dim=-1, dtype=torch.float64)
    total_B = cumulative_BV[:, -1]
    target_B = torch.minimum(uniform_B.double() * total_B, total_B * (1 - 1e-15))
    return torch.searchsorted(cumulative_BV, target_B[:, None], right=True)[:, 0]
