"""How far readers agree with one another without and with AI."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.statistics.agreement import cohen_kappa, fleiss_draws, rating_counts
from pipeline.evaluation.statistics.intervals import UNDEFINED, interval_of
from pipeline.evaluation.studies.reader_calls import ARMS, ReaderCalls

CALLS = (0, 1)


def reader_agreement(study: ReaderCalls, weights: NDArray[np.float64], threshold: float = 0.5, level: float = 0.95) -> dict:
    """Fleiss' kappa of the readers' yes or no in each arm, its change, and Cohen's kappa of every two readers.

    weights: (B, N), how often each case occurs in each resample of patients. Returns {"fleiss_kappa": {"without", "with",
    "difference": interval}, "pairs": [{"a", "b", "without", "with": as `cohen_kappa`}]}. None where all readers give one
    call only. One reader agrees with nobody: all None, no pairs. Readers who all lean on the same AI agree more without
    being right more often: read it beside the accuracy.
    """
    if len(study.readers) < 2:
        return {"fleiss_kappa": {name: dict(UNDEFINED) for name in (*ARMS, "difference")}, "pairs": []}
    called = (study.calls >= threshold).astype(int)
    once = np.ones((1, study.truth.size))
    values, draws = [], []
    for arm in called:
        counts = rating_counts(arm.T, CALLS)
        values.append(float(fleiss_draws(counts, once)[0]))
        draws.append(fleiss_draws(counts, weights))
    kappas = {name: interval_of(value, draw, level) for name, value, draw in zip(ARMS, values, draws, strict=True)}
    kappas["difference"] = interval_of(values[1] - values[0], draws[1] - draws[0], level)
    pairs = [
        {
            "a": study.readers[a],
            "b": study.readers[b],
            **{name: cohen_kappa(called[arm, a], called[arm, b], CALLS, level=level) for arm, name in enumerate(ARMS)},
        }
        for a, b in combinations(range(len(study.readers)), 2)
    ]
    return {"fleiss_kappa": kappas, "pairs": pairs}
