"""Whether this process is about to stop: it still answers, but wants no new work."""

_has_begun = False


def announce() -> None:
    """For good: a process that stops doesn't come back."""
    global _has_begun  # noqa: PLW0603 - there is one end of a process
    _has_begun = True


def has_begun() -> bool:
    return _has_begun
