"""The chains to read: each with the model's answer after each step, and its answer after each change to a step.

In: ITEMS, CHAINS and OBSERVATIONS rows, a key of ``choice.py``, and the words of each probe on its rows. Out:
``Transcript`` objects, plain data. Only chains on plain items are chosen. Texts are passed on as they are: the code
that prints them must escape them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from cotfaith.cluster.report.choice import KEY, chosen, first_told, tellings
from cotfaith.cluster.report.difference import difference
from cotfaith.cluster.report.reasons import ORDER, Reason
from cotfaith.cluster.report.transcript import Change, Transcript
from cotfaith.cluster.stats.metrics.lib.groups import grouped
from cotfaith.cluster.stats.metrics.lib.remarks import Cut, Remark, Without, every_arm
from cotfaith.cluster.stats.metrics.lib.words import AGAIN, Words
from cotfaith.schemas.variants import PLAIN
from cotfaith.workers.plugins import faults_named

Row = dict[str, Any]


def pick_transcripts(
    run_id: str,
    items: pl.DataFrame,
    chains: pl.DataFrame,
    observations: pl.DataFrame,
    words: Mapping[str | None, Words],
) -> list[Transcript]:
    """Return the chains to read, from tables that are at hand.

    ``words``: those of each probe; a probe without words is shown arm by arm, after the others.
    """
    told = first_told(tellings(*grouped(chains, observations), words))
    return [transcript(key, items, chains, observations, words) for key in chosen(run_id, chains, told)]


def transcript(
    key: Row,
    items: pl.DataFrame,
    chains: pl.DataFrame,
    observations: pl.DataFrame,
    words: Mapping[str | None, Words],
) -> Transcript:
    """Return the chain named by ``key`` (of ``chosen``), with its item, cuts, changes and reasons."""
    here = [pl.col(name) == key[name] for name in KEY[:4]]
    whole = chains.filter(*here, _is_plain(), pl.col("chain_index") == key["chain_index"]).head(1)
    chain = whole.row(0, named=True)
    item = items.filter(here[0], here[1], here[3]).head(1).to_dicts()
    index = pl.col("chain_index")
    own = observations.filter(*here, _is_plain(), index.is_null() | (index == key["chain_index"]))
    shown = Transcript(chain, item[0] if item else {}, reasons=_reasons(key["why"], whole, own, words))
    return _with_remarks(shown, _remarks(chain, own, words))


def _is_plain() -> pl.Expr:
    return pl.col("variant").fill_null(PLAIN) == PLAIN


def _reasons(
    first: Reason, whole: pl.DataFrame, own: pl.DataFrame, words: Mapping[str | None, Words]
) -> tuple[Reason, ...]:
    """Return the reason for which the chain was chosen, and the others that its rows tell."""
    found = tellings(*grouped(whole, own), words).select("tell", "step").iter_rows()
    others = {tell: step for tell, step in found if tell != first.why}
    return first, *(Reason(why, others[why]) for why in ORDER if why in others)


def _remarks(chain: Row, own: pl.DataFrame, words: Mapping[str | None, Words]) -> Iterable[Cut | Without | Remark]:
    """Yield the remarks of the words on each probe's rows of the chain and its item."""
    rows = own.sort("step", "position", "rollout", "arm", nulls_last=True)
    found = rows["probe"].unique().sort().to_list()
    for probe in [*(probe for probe in words if probe in found), *(probe for probe in found if probe not in words)]:
        say = words[probe].remarks if probe in words else every_arm
        with faults_named(f"A transcript of {probe}", say, AGAIN):
            yield from say(chain, rows.filter(pl.col("probe") == probe).to_dicts())


def _with_remarks(shown: Transcript, remarks: Iterable[Cut | Without | Remark]) -> Transcript:
    last, without = len(shown.chain["steps"] or []), shown.without
    for remark in remarks:
        if isinstance(remark, Cut):
            shown.cuts[remark.k] = remark
        elif isinstance(remark, Without):
            without = remark.outcome
        elif remark.step is None or not 1 <= remark.step <= last:
            shown.whole.append(_change(remark))
        else:
            shown.changes.setdefault(remark.step, []).append(_change(remark))
    return replace(shown, without=without)


def _change(remark: Remark) -> Change:
    edited = remark.old is not None and remark.new is not None
    pieces = difference(remark.old or "", remark.new or "") if edited else []
    return Change(remark.what, remark.outcome, pieces, remark.moved)
