"""What can go wrong while a public set is fetched."""

from __future__ import annotations


def fetch_failures() -> tuple[type[Exception], ...]:
    """The exceptions of kagglehub and of the connection below it that mean "not fetched", not "a bug"."""
    failures: tuple[type[Exception], ...] = (OSError, ValueError)
    try:
        from kagglehub import exceptions
    except ImportError:
        return failures
    own = (
        value
        for value in vars(exceptions).values()
        if isinstance(value, type) and issubclass(value, Exception)
    )
    return (*failures, *own)
