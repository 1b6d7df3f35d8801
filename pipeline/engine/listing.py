"""Many names, or how many there are, in one sentence."""

from collections.abc import Sequence

SHOWN = 5


def listed(names: Sequence[str], shown: int = SHOWN) -> str:
    """The first `shown` names and how many more there are: ``a, b and 3 more``."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, one: str, several: str = "") -> str:
    """How many there are: ``1 pair is``, ``2 pairs are``. several: where it is not `one` with an s."""
    return f"{count} {one if count == 1 else several or one + 's'}"
