"""Tables of labelled chains with a planted truth, in the columns that fitting reads."""

import numpy as np
import polars as pl

FEATURES = ("early_start", "early_area", "no_cot_p")
MODELS, FAMILIES = ("m0", "m1", "m2", "m3"), ("f0", "f1", "f2")


def table(seed=0, per=20, signal=4.0, models=MODELS, families=FAMILIES, organisms=()):
    """Rows of every model and family; ``signal``: how far apart the classes are, in standard deviations."""
    random, rows = np.random.default_rng(seed), []
    for model in models:
        for family in families:
            for n in range(per):
                faithful = bool(n % 2)
                x = random.normal(signal / 2 * (1 if faithful else -1), size=3)
                about = {"model": model, "task": f"{family}-a", "strategy": "cot", "variant": "plain"}
                about |= {"item_id": f"i{n}", "chain_index": 0, "family": family, "cluster": f"{family} {n}"}
                about |= {"is_real": model not in organisms, "hinted": n % 3 == 0, "faithful": faithful}
                rows.append(about | dict(zip(FEATURES, x.tolist(), strict=True)))
    return pl.DataFrame(rows)
