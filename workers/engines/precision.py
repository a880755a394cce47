"""How finely scores tell candidates apart. Two that are nearer to each other are a near tie: noise may have decided.

float32: a thousandth of a nat, above what the order of sums changes. bfloat16 and float16: one step of bfloat16 at the
likeliest candidate's logit, since hidden states of that precision move a logit by about so much, whatever the head's
own precision. Where an engine returns no logits, those of today's models are assumed to lie between 16 and 32.
"""

import math

FLOAT32_RESOLUTION = 1e-3
"""Nats."""
_SIGNIFICAND_BITS = 7
"""Of bfloat16, behind the leading one."""


def bfloat16_step(value: float) -> float:
    """Return the distance between ``value``'s neighbours in bfloat16, never below the resolution of float32."""
    if not value or not math.isfinite(value):
        return FLOAT32_RESOLUTION
    return max(FLOAT32_RESOLUTION, math.ldexp(1.0, math.frexp(abs(value))[1] - 1 - _SIGNIFICAND_BITS))


ASSUMED_STEP = bfloat16_step(16.0)
"""Nats: 1/8, where the engine returns no logits."""


def resolution_without_logits(dtype: str) -> float:
    """Return the resolution of scores by a model in ``dtype`` whose logits are not known."""
    return FLOAT32_RESOLUTION if dtype == "float32" else ASSUMED_STEP
