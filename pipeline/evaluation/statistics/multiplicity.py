"""Adjustment of the p values of one family of tests."""

from collections.abc import Sequence

from statsmodels.stats.multitest import multipletests


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p values, in the order given (Holm 1979, Scand J Stat 6).

    A test without a p value (None: it could not be made) stays None and does not count in the family.
    """
    made = [p for p in p_values if p is not None]
    if not made:
        return [None] * len(p_values)
    adjusted = iter(float(p) for p in multipletests(made, method="holm")[1])
    return [None if p is None else next(adjusted) for p in p_values]
