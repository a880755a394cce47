"""The status of a row. Metrics are null unless the status is ``ok``; no row is ever dropped."""

from enum import StrEnum


class Status(StrEnum):
    """The outcome of one chain or one observation."""

    OK = "ok"
    TRUNCATED = "truncated"
    """The token limit cut the text."""
    UNPARSED = "unparsed"
    """No answer could be read from the text."""
    EMPTY_CHAIN = "empty_chain"
    """The chain has no step."""
    EDIT_FAILED = "edit_failed"
    """An editor found nothing to change in the step."""
    CONTEXT_OVERFLOW = "context_overflow"
    """The prompt and its continuation exceed the model's context window."""
    ENGINE_ERROR = "engine_error"
    """The engine failed on this request."""
    ITEM_ERROR = "item_error"
    """Our own code failed on this item."""
    REFUSED = "refused"
    """The server withheld the text (a content filter), or says that the model refused."""
    ENCRYPTED = "encrypted"
    """The model's reasoning is there, and its server does not show it whole: encrypted, hidden, or only summarised."""
    UNSUPPORTED = "unsupported"
    """A reader's quote is not in the chain."""
    QUARANTINED = "quarantined"
    """Each attempt at this item alone ended its engine, or the process that worked on it."""
