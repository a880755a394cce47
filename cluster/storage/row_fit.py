"""Checks that rows of different parts fit together: a chain its item, an observation the chain that it was made on.

In: the tables of a run, each row with the key of its commit in ``COMMIT``. Out: nothing, or ``RunFolderError``. Parts
can be valid one by one and not belong together, such as new chains with probes of the old ones.
"""

from collections.abc import Mapping

import polars as pl

from cotfaith.cluster.storage.codes import numbers, row_codes
from cotfaith.schemas.errors import RunFolderError

COMMIT = "_commit_key"
_ITEM = ["model", "task", "item_id"]
_CHAIN = [*_ITEM, "strategy", "variant", "chain_index"]


def check_fit(tables: Mapping[str, pl.DataFrame]) -> None:
    """Raise unless every chain has its item, and every observation agrees with its chain, if that one is committed.

    An observation whose chain is not committed makes the run incomplete, and is not an error.
    """
    items, chains, observations = (tables[name] for name in ("items", "chains", "observations"))
    _raise_if_any(chains.join(items, on=_ITEM, how="anti"), "is on an item that the run's items lack")
    chain = _chains_of(observations, chains)
    for column, of in (("reference_answer", "answer"), ("n_steps", "n_steps")):
        own = chains[of].gather(chain)
        unlike = chain.is_not_null() & observations[column].ne_missing(own)
        if unlike.any():
            rows = observations.with_columns(own.alias(f"_{of}")).filter(unlike)
            _raise_if_any(rows, "was made on another chain", column, f"_{of}")


def _chains_of(observations: pl.DataFrame, chains: pl.DataFrame) -> pl.Series:
    """Return the row of each observation's chain; null if it is not committed."""
    both = pl.concat([table.select(_CHAIN) for table in (chains, observations)])
    codes, _ = row_codes(numbers(both, _CHAIN))
    own, asked = pl.Series("_code", codes[: len(chains)]), pl.Series("_code", codes[len(chains) :])
    numbered = own.to_frame().with_row_index("_chain")
    return asked.to_frame().join(numbered, on="_code", how="left", maintain_order="left")["_chain"]


def _raise_if_any(rows: pl.DataFrame, problem: str, column: str = "", of: str = "") -> None:
    if rows.is_empty():
        return
    first = rows.row(0, named=True)
    what = " ".join(str(first[name]) for name in (*_CHAIN[:4], "probe") if first.get(name) is not None)
    values = f": its {column} is {first[column]!r}, the chain has {first[of]!r}" if column else ""
    raise RunFolderError(
        f"{first[COMMIT]}: {len(rows)} rows do not fit the others of this run. The first, {what}, {problem}{values}. "
        f"Was only a part of the folder made again or copied? Remove {first[COMMIT]} and run again: it is then "
        "done again."
    )
