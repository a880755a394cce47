"""A cache whose layers grow in place has the same content as the library's, whatever happens to its rows."""

from collections.abc import Callable
from functools import partial

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import DynamicCache

from cotfaith.workers.engines.transformers.row_cache import ROOM, drop, growing_cache, join, pad_left, trim_left

ACTIONS = st.lists(st.sampled_from(["grow", "grow much", "choose", "trim", "join", "drop"]), max_size=12)


def columns(rows: int, count: int, seed: int) -> Tensor:
    return torch.randn(rows, 2, count, 4, generator=torch.Generator().manual_seed(seed))


def cut(cache: DynamicCache, change: Callable[[Tensor], Tensor]) -> None:
    layer = cache.layers[0]
    layer.keys, layer.values = change(layer.keys), change(layer.values)


def chosen(rows_BHWD: Tensor, keep: list[int]) -> Tensor:
    return rows_BHWD[keep]


@given(ACTIONS)
def test_growing_in_place_holds_what_copying_holds(actions: list[str]) -> None:
    ours, library = growing_cache(), DynamicCache()
    for cache in (ours, library):
        cache.update(columns(3, 5, 0), columns(3, 5, 1), 0)
    for n, action in enumerate(actions):
        rows = len(library.layers[0].keys)
        for cache in (ours, library):
            if action.startswith("grow"):
                count = ROOM + 1 if action == "grow much" else 1
                cache.update(columns(rows, count, 2 * n), columns(rows, count, 2 * n + 1), 0)
            elif action == "choose":
                cache.reorder_cache(torch.arange(rows - 1, -1, -2))
        if action == "trim" and library.layers[0].keys.shape[2] > 1:
            trim_left(ours, 1)
            cut(library, lambda rows_BHWD: rows_BHWD[:, :, 1:])
        elif action == "drop" and rows > 1:
            drop(ours, n % rows)
            keep = [i for i in range(rows - 1) if i != n % rows]
            keep.insert(n % rows, rows - 1)  # the last takes its place
            cut(library, partial(chosen, keep=keep[: rows - 1]))
        elif action == "join":
            newcomer = growing_cache()
            newcomer.update(columns(2, 7, 3 * n), columns(2, 7, 3 * n + 1), 0)
            join(ours, newcomer)
            for name in ("keys", "values"):
                held, other = (getattr(cache.layers[0], name) for cache in (library, newcomer))
                width = max(held.shape[2], 7)
                setattr(library.layers[0], name, torch.cat([pad_left(held, width), pad_left(other, width)]))
        torch.testing.assert_close(ours.layers[0].keys, library.layers[0].keys, rtol=0, atol=0)
        torch.testing.assert_close(ours.layers[0].values, library.layers[0].values, rtol=0, atol=0)


def test_a_new_column_copies_nothing() -> None:
    cache = growing_cache()
    for _ in range(2):
        cache.update(columns(2, 3, 0), columns(2, 3, 1), 0)
    before = cache.layers[0].keys.data_ptr()
    cache.update(columns(2, 1, 2), columns(2, 1, 3), 0)
    assert cache.layers[0].keys.data_ptr() == before


def test_a_dropped_row_moves_only_the_last_one() -> None:
    cache = growing_cache()
    for _ in range(2):
        cache.update(columns(3, 3, 0), columns(3, 3, 1), 0)
    before = cache.layers[0].keys.data_ptr()
    drop(cache, 0)
    cache.update(columns(2, 1, 2), columns(2, 1, 3), 0)
    assert cache.layers[0].keys.data_ptr() == before
    assert cache.layers[0].keys.shape[:3] == (2, 2, 7)
    torch.testing.assert_close(cache.layers[0].keys[0, :, :3], columns(3, 3, 0)[2], rtol=0, atol=0)
