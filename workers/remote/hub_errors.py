"""What the hub's library raises -> an error that says what to do.

The user's mistakes are ``SpecError``; a hub that cannot be reached or fails is a ``StoreError``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cotfaith.schemas.errors import SpecError, StoreError
from cotfaith.workers.remote.address import HubAddress

_GATED = "Ask for access on its page, and set HF_TOKEN to a token of that account."
_PRIVATE = "Fix the name, or set HF_TOKEN to a token that may read it."


@contextmanager
def hub_errors(address: HubAddress, origin: str) -> Iterator[None]:
    """Turn the hub's errors into ours."""
    from huggingface_hub import errors

    place = f"{origin}: {address}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise SpecError(f"{place}: this dataset is gated. {_GATED}") from error
    except errors.RepositoryNotFoundError as error:
        raise SpecError(f"{place}: there is no such dataset, or it is private. {_PRIVATE}") from error
    except errors.RevisionNotFoundError as error:
        raise SpecError(f"{place}: there is no such revision. Fix the part behind @.") from error
    except errors.HFValidationError as error:
        raise SpecError(f"{place}: no dataset can have this name. Expected owner/name.") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise (uncached(place) if is_offline() else _unreached(place, error.__cause__ or error)) from error
    except errors.HfHubHTTPError as error:
        raise _answered(place, error) from error
    except transport_error() as error:
        raise _unreached(place, error) from error


def transport_error() -> Any:
    """Return the error of the library that huggingface_hub uses for HTTP, which changed between its versions."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]


def uncached(place: str) -> SpecError:
    """Return the error for what offline mode would have to download."""
    return SpecError(f"{place}: this is not in the cache, and HF_HUB_OFFLINE is set. Unset it once.")


def _unreached(place: str, error: BaseException) -> StoreError:
    return StoreError(f"{place}: the hub cannot be reached ({type(error).__name__}). Try again.")


def _answered(place: str, error: Any) -> SpecError | StoreError:
    status = getattr(error.response, "status_code", None)
    if status in (401, 403):
        return SpecError(f"{place}: the hub refuses access ({status}). {_PRIVATE}")
    return StoreError(f"{place}: the hub answered {status}. Try again.")


def is_offline() -> bool:
    """Return whether the hub's library may not use the network."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)
