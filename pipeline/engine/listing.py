"""Many names in one sentence."""

from collections.abc import Sequence

SHOWN = 5


def listed(names: Sequence[str], shown: int = SHOWN) -> str:
    """The first `shown` names and how many more there are: ``a, b and 3 more``."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
