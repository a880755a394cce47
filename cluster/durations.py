"""Times in words, for messages and tables. Knows nothing about what took them."""


def duration(seconds: float) -> str:
    """Return seconds in words: "40 s", "3 min", "2 h 5 min"."""
    if seconds < 100:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def clock(seconds: float | None) -> str:
    """Return hours, minutes and seconds, such as "1:02:03" or "2:03"; "-" if not known."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
