"""Rows of a growing key-value cache: selected, padded and joined, so that rows can join and leave a batch.

For caches whose layers hold all columns, regardless of a layer's window. Rows are left-padded to one width; the caller
that runs the model masks the padding.

B = rows, W = width, N = new columns, H = heads, D = head width.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 64
"""The spare columns that a layer gets when it is copied to grow."""


class GrowingLayer(DynamicLayer):
    """Keys and values at the start of larger tensors: a new column is written in place, without copying the rest."""

    _key_room: Tensor | None = None
    _value_room: Tensor | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append the new columns (BHND); return the keys and values of all columns."""
        if self.keys is None or self.values is None:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
        else:
            self.keys, self._key_room = _append(self.keys, self._key_room, key_states)
            self.values, self._value_room = _append(self.values, self._value_room, value_states)
        return self.keys, self.values

    def hold(self, keys: list[Tensor], values: list[Tensor], start: int) -> None:
        """Hold these rows instead, each part (BHWD) padded to the widest, from column ``start`` on."""
        self.keys, self._key_room = _joined(keys, start)
        self.values, self._value_room = _joined(values, start)


def growing_cache() -> Cache:
    """Return an empty cache; each layer's first update is used directly, not copied."""
    return Cache(layer_class_to_replicate=GrowingLayer)


def _append(held_BHWD: Tensor, room: Tensor | None, new_BHND: Tensor) -> tuple[Tensor, Tensor]:
    """Return the old and new columns, as the start of a tensor with spare room, and that tensor."""
    rows, _, held, _ = held_BHWD.shape
    width = held + new_BHND.shape[2]
    # Rows that were selected or trimmed since are in other memory.
    if room is None or room.data_ptr() != held_BHWD.data_ptr() or width > room.shape[2]:
        _, room = _joined([held_BHWD], 0, width - held + ROOM)
    room[:rows, :, held:width] = new_BHND
    return room[:rows, :, :width], room


def _joined(parts: list[Tensor], start: int, spare: int = ROOM) -> tuple[Tensor, Tensor]:
    """Return the rows of all parts, as the start of a tensor with ``spare`` more columns, and that tensor."""
    rows, width = sum(map(len, parts)), max(part.shape[2] for part in parts)
    _, heads, _, size = parts[0].shape
    room = parts[0].new_empty(rows, heads, width - start + spare, size)
    begin = 0
    for part_BHWD in parts:
        own = room[begin : begin + len(part_BHWD), :, : width - start]
        padding = width - part_BHWD.shape[2]
        own[:, :, : max(0, padding - start)] = 0
        own[:, :, max(0, padding - start) :] = part_BHWD[:, :, max(0, start - padding) :]
        begin += len(part_BHWD)
    return room[:, :, : width - start], room


def join(first: Any, second: Any) -> None:
    """Append the rows of ``second`` to ``first``, padding the narrower one."""
    for mine, other in zip(first.layers, second.layers, strict=True):
        mine.hold([mine.keys, other.keys], [mine.values, other.values], 0)


def trim_left(cache: Any, columns: int) -> None:
    """Drop the first ``columns``, which are padding in every row."""
    for layer in cache.layers:
        layer.hold([layer.keys], [layer.values], columns)


def drop(cache: Any, row: int) -> None:
    """Drop a row; the last one takes its place, and no other is copied."""
    for layer in cache.layers:
        layer.keys, layer.values = _without(layer.keys, row), _without(layer.values, row)


def _without(rows_BHWD: Tensor, row: int) -> Tensor:
    last = len(rows_BHWD) - 1
    if row < last:
        rows_BHWD[row] = rows_BHWD[last]
    return rows_BHWD[:last]


def pad_left(rows_BHWD: Tensor, width: int) -> Tensor:
    """Widen to ``width`` columns with zeros on the left."""
    return torch.nn.functional.pad(rows_BHWD, (0, 0, width - rows_BHWD.shape[2], 0))
