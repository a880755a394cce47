"""The choice of the steps of a long chain that a probe uses."""


def spread(count: int, at_most: int | None) -> list[int]:
    """Return ``at_most`` of 1..``count`` (None: all), evenly spread, including the first and the last."""
    if at_most is None or at_most >= count:
        return list(range(1, count + 1))
    if at_most == 1:
        return [(count + 1) // 2]
    return [1 + round(j * (count - 1) / (at_most - 1)) for j in range(at_most)]
