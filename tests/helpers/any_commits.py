"""Any history of the commits of one shard of three items, for tests that compare two readings of it."""

from hypothesis import strategies as st
from run_records import commit

from cotfaith.schemas.run_objects import PieceName

COT, DIRECT = PieceName("cot"), PieceName("direct")
P, Q, READ = PieceName("cot", probe="p"), PieceName("cot", probe="q"), PieceName("cot", probe="p", reader="r")
IDS = ["i0", "i1", "i2"]
PIECES = [COT, DIRECT, P, Q, READ, PieceName("direct", probe="p")]


KINDS = {(True, None): "chains", (False, None): "probes", (False, "r"): "readings"}


@st.composite
def commits(draw, model="m", start=0):
    """Any log of three items: chains and rows of probes, of a few texts and limits, some removed."""
    found = []
    for generation in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["chains", "probes", "readings"]))
        fits = [
            one
            for one in PIECES
            if (one.probe is None, one.reader) == (kind == "chains", "r" * (kind == "readings") or None)
        ]
        items = draw(st.lists(st.sampled_from([f"i{start + at}" for at in range(3)]), min_size=1, unique=True))
        counts = {"quarantined": [draw(st.integers(0, 1)) for _ in items], "ok": [1] * len(items)}
        found.append(
            commit(
                start,
                start + 3,
                model=model,
                pieces=draw(st.lists(st.sampled_from(fits), min_size=1, unique=True)),
                items=items,
                generation=generation,
                text={item: draw(st.sampled_from("ab")) for item in items},
                cut=draw(st.lists(st.sampled_from(items), unique=True)),
                max_tokens=draw(st.sampled_from([None, 10, 20])),
                statuses=counts,
            )
        )
    return [one for one in found if draw(st.integers(0, 5))]
