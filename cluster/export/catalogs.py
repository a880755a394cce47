"""A catalog of pyiceberg's own configuration, and its failures as errors of ours that show no secret of it.

In: the name of a catalog. Out: the catalog; ``SpecError`` if there is none, ``StoreError`` for whatever it, its storage
or the network says later. Knows nothing about tables.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from cotfaith.schemas.errors import SpecError, StoreError
from cotfaith.schemas.unshown import without_credentials

_SECRET = re.compile(r"secret|token|credential|passw|key|auth|header|cert|connection|sas", re.IGNORECASE)
"""What names a property whose value is not shown."""
_USER = re.compile(r"://([^/@\s]*)@")
_LIBRARIES = {
    "pyiceberg",
    "sqlalchemy",
    "requests",
    "urllib3",
    "botocore",
    "boto3",
    "pyarrow",
    "tenacity",
    "pydantic_core",
}
"""Whose errors are of the catalog or the storage; others are mistakes in this code."""
_MOST = 500


def load_catalog(name: str) -> Any:
    """Return the catalog.

    Raises:
        SpecError: pyiceberg, or what it needs for this catalog, is not installed, or nothing configures it.
        StoreError: it does not answer.

    """
    try:
        from pyiceberg import catalog
        from pyiceberg.exceptions import NotInstalledError
        from pyiceberg.utils.config import Config

        properties: Mapping[str, Any] = Config().get_catalog_config(name) or {}
    except ImportError:
        raise SpecError("--to iceberg needs pyiceberg. Install it: pip install 'cotfaith[iceberg]'") from None
    except Exception as error:  # of its YAML reader; its text quotes the file, which can hold secrets
        raise SpecError(
            f"pyiceberg cannot read its configuration ({type(error).__name__}). Check .pyiceberg.yaml (in "
            "$PYICEBERG_HOME, the home folder or this one) and the variables PYICEBERG_*."
        ) from None
    with failures(name, properties):
        try:
            return catalog.load_catalog(name)
        except (ValueError, TypeError, KeyError, ImportError, NotInstalledError) as error:
            raise SpecError(
                f"--catalog {name!r}: pyiceberg cannot load it: {shown(error, properties)}. Name it in "
                "~/.pyiceberg.yaml."
            ) from None


@contextmanager
def failures(name: str, properties: Mapping[str, Any]) -> Iterator[None]:
    """Raise ``StoreError`` for what the catalog with these properties, or its storage, fails at."""
    try:
        yield
    except Exception as error:
        kinds = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
        if not (kinds & _LIBRARIES or isinstance(error, OSError)):
            raise
        raise StoreError(
            f"--catalog {name!r}: the catalog or its storage failed: {type(error).__name__}: "
            f"{shown(error, properties)}. Check its settings and that it answers; then export again: what is there "
            "stays."
        ) from None


def shown(error: Exception, properties: Mapping[str, Any]) -> str:
    """Return an error's text, cut to a length, without the secrets among the catalog's properties."""
    text = str(error)
    for secret in sorted(_secrets(properties), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = " ".join(without_credentials(text).split())
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def _secrets(properties: Mapping[str, Any]) -> set[str]:
    """Return the values that are secret, and their parts: a credential is ``id:secret``."""
    found = set[str]()
    for name, value in properties.items():
        if isinstance(value, Mapping):
            found |= _secrets(value)
        elif _SECRET.search(name):
            found |= {str(value), *str(value).split(":")}
        elif user := _USER.search(str(value)):
            found |= {user[1], user[1].partition(":")[2]}
    found = {one for one in found if len(one) > 3}
    return found | {quote(one, safe="") for one in found}
