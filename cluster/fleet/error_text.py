"""One line of an error, for messages. Nothing is decided by it."""


def first_line(error: Exception, last: bool = False) -> str:
    """Return the first (or last) line of an error's text."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return (lines[-1] if last else lines[0]) if lines else type(cause).__name__
