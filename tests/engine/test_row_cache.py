"""A cache whose layers grow in place has the same content as the library's, whatever happens to its rows."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import DynamicCache

from cotfaith.workers.engines.transformers.row_cache import ROOM, growing_cache, join, trim_left

ACTIONS = st.lists(st.sampled_from(["grow", "grow much", "choose", "trim", "join"]), max_size=12)


def columns(rows: int, count: int, seed: int) -> Tensor:
    return torch.randn(rows, 2, count, 4, generator=torch.Generator().manual_seed(seed))


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
            elif action == "trim":
                trim_left(cache, 1)
            else:
                newcomer = growing_cache()
                newcomer.update(columns(2, 7, 3 * n), columns(2, 7, 3 * n + 1), 0)
                join(cache, newcomer)
        torch.testing.assert_close(ours.layers[0].keys, library.layers[0].keys, rtol=0, atol=0)
        torch.testing.assert_close(ours.layers[0].values, library.layers[0].values, rtol=0, atol=0)


def test_a_new_column_copies_nothing() -> None:
    cache = growing_cache()
    for _ in range(2):
        cache.update(columns(2, 3, 0), columns(2, 3, 1), 0)
    before = cache.layers[0].keys.data_ptr()
    cache.update(columns(2, 1, 2), columns(2, 1, 3), 0)
    assert cache.layers[0].keys.data_ptr() == before
