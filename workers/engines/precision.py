"""The resolution of scores. Two candidates whose scores are closer than that are a near tie: noise may have decided.

float32: a thousandth of a nat, above what the order of sums changes. bfloat16 and float16: one step of bfloat16 at the
likeliest candidate's logit, since hidden states of that precision change a logit by about as much, whatever the head's
own precision. If an engine returns no logits, they are assumed to lie between 16 and 32, as in current models.

These are assumptions. An engine in an actor also measures its noise, which counts if it is larger
(``workers/actor/noise.py``).
"""

import math

FLOAT32_RESOLUTION = 1e-3
"""Nats."""
_SIGNIFICAND_BITS = 7
"""The mantissa bits of bfloat16, after the leading one."""


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
