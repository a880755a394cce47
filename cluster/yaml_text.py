"""YAML text -> plain data, for texts that anybody may have written.

In: text. Out: what ``yaml.safe_load`` makes of it, or ``ValueError`` with the reason in one line. It also refuses what
YAML can express and no program can use: nesting beyond all reason, values that hold themselves, and references that
grow to millions of values ("billion laughs"). Knows nothing about what the data means.
"""

from typing import Any

import yaml

MOST_VALUES = 1_000_000
"""The most values of a text, each reference (*name) counted as the values that it stands for."""
MOST_LEVELS = 100
"""The most lists and mappings within one another."""


def yaml_data(text: str) -> Any:
    """Return the data; raise ``ValueError`` with the reason."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"this is not valid YAML: {_where_it_breaks(error)}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except Exception as error:  # tags such as !!int and !!timestamp raise anything on texts that they do not fit
        raise ValueError(f"this is not valid YAML: a value cannot be read: {' '.join(str(error).split())}.") from None
    _count(found, {}, [])
    return found


_TOO_DEEP = f"its lists and mappings are nested too deeply (more than {MOST_LEVELS} levels)."


def _count(value: Any, known: dict[int, int], above: list[int]) -> int:
    """Return the number of values within ``value``; ``known``: of those that were counted, by identity."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    if id(value) in known:
        return known[id(value)]
    if id(value) in above:
        raise ValueError("a value holds itself through a reference (*name).")
    if len(above) >= MOST_LEVELS:
        raise ValueError(_TOO_DEEP)
    above.append(id(value))
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    found = 1 + sum(_count(part, known, above) for part in parts)
    above.pop()
    if found > MOST_VALUES:
        raise ValueError(f"its references (*name) stand for more than {MOST_VALUES:,} values.")
    known[id(value)] = found
    return found


def _where_it_breaks(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}."
