"""Random streams that depend only on what is requested.

So results are independent of shard size, batch composition, worker count, retries and resume.
"""

import hashlib
import json


def derive_seed(*parts: str | int) -> int:
    """Return a 63-bit seed for ``parts``, for example (run seed, model, task, item, chain, probe, arm)."""
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
