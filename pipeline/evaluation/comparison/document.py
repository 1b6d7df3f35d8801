"""Assembles what `compare --json` writes: arms, their metrics with intervals, and their paired tests."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from pipeline.engine.errors import DataError
from pipeline.evaluation.comparison.tests import ComparisonSettings, Pair, given_split_tests, judge, resplit_tests
from pipeline.evaluation.comparison.verdicts import overall_verdict
from pipeline.evaluation.comparison.words import GIVEN_SPLIT, MEASURES, RESPLITS
from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.metrics.classification import binary_counts, confusion_matrix
from pipeline.evaluation.metrics.names import metric_words, tested_metrics
from pipeline.evaluation.statistics.clusters import cluster_note
from pipeline.evaluation.statistics.intervals import measured_intervals, metric_intervals, training_noise
from pipeline.evaluation.tables.alignment import AnyRows, align_arms
from pipeline.evaluation.tables.resplits import Resplits
from pipeline.evaluation.tables.rows import Arms, Rows


def build_comparison(
    arms: Arms,
    resplits: Resplits | None = None,
    *,
    controls: Sequence[str] = (),
    pairs: Sequence[tuple[str, str]] | None = None,
    metrics: Sequence[str] | None = None,
    settings: ComparisonSettings | None = None,
    warnings: Sequence[str] = (),
) -> dict:
    """The document of `compare --json`, ready for json.dump (no NaN, no numpy types).

    arms: arm -> modality ("xray", "ct", "paired", or any other name) -> rows of classes or of measures. Arms keep their
    order; a test's `a` comes before its `b`, and every difference is b - a. controls: modalities that are reported but not
    tested, such as shuffled pairs, so that they do not enlarge the family of tests. pairs: (a, b) to test, every two arms
    where not said; metrics: those to test, where not all. Rows that not every arm has are left out with a warning.

    Metrics are means over trainings of the single models, of measures the mean over scans; `ensemble` holds the tested metrics
    of the answers averaged over several trainings, of which the confusion counts are too. A test's `of` says of which of the
    two its arms are. Keys beyond the fixed schema: ensemble and training_noise and confusion and counts and classes (modality
    -> …), resplits, families, verdicts (one sentence for each modality and pair of arms), settings, warnings. Raises
    DataError for no arm, arms without a shared row, or kinds of rows, classes, labels or patients that disagree.
    """
    settings = settings or ComparisonSettings()
    if not arms or not any(arms.values()):
        raise DataError("There are no predictions to compare.", "Name at least one arm with predictions.")
    notes, names = list(warnings), dict.fromkeys(name for tables in arms.values() for name in tables)
    document: dict = {"schema_version": 1, "arms": list(arms), "modalities": {}, "tests": []}
    document |= {name: {} for name in ("ensemble", "training_noise", "confusion", "counts", "classes")}
    tests: list[dict] = []
    for modality in names:
        aligned, note = align_arms({arm: mine[modality] for arm, mine in arms.items() if modality in mine}, modality)
        clustering = cluster_note(next(iter(aligned.values())).patients)
        notes += [*([note] if note else []), *([f"{title_of(modality)}: {clustering}"] if clustering else [])]
        tables = {arm: rows.by_cluster_number() for arm, rows in aligned.items()}
        _describe(document, modality, tables, settings)
        if modality in controls:
            continue
        for a, b in pairs if pairs is not None else combinations(tables, 2):
            pair = Pair(modality, a, b, tables[a], tables[b], None if metrics is None else tuple(metrics))
            tests += given_split_tests(pair, settings)
            tests += resplit_tests(pair, resplits, settings) if resplits is not None else []
    document["tests"] = judge(tests, settings)
    document["verdicts"] = _verdicts(document["tests"], settings)
    document["resplits"] = resplits.summary() if resplits is not None else {}
    document["families"] = _families([rows for tables in arms.values() for rows in tables.values()])
    document["settings"] = {**vars(settings), "threshold": _threshold(arms), "controls": list(controls)}
    document["warnings"] = notes
    return document


def _describe(document: dict, modality: str, tables: Mapping[str, AnyRows], settings: ComparisonSettings) -> None:
    """Adds one modality's metrics, training noise, confusion counts, row counts and classes to the document."""
    sizes = (settings.resamples, settings.seed, settings.level)
    table = next(iter(tables.values()))
    counts = {"rows": int(table.truth.size), "clusters": int(table.clusters.max()) + 1}
    if isinstance(table, Rows):
        document["modalities"][modality] = {arm: metric_intervals(rows, None, *sizes) for arm, rows in tables.items()}
        means = {arm: rows.mean() for arm, rows in tables.items() if len(rows.predicted) > 1}
        made = {arm: metric_intervals(rows, tested_metrics(rows), *sizes) for arm, rows in means.items()}
        document["ensemble"] |= {modality: made} if made else {}
        document["training_noise"][modality] = {arm: training_noise(rows) for arm, rows in tables.items()}
        document["confusion"][modality] = {
            arm: binary_counts(rows) if rows.is_binary else confusion_matrix(rows).tolist() for arm, rows in tables.items()
        }
        positive = table.positive_class if table.is_binary else None
        document["classes"][modality] = {"names": list(table.class_names), "positive": positive}
        by_class = {name: int((table.truth == place).sum()) for place, name in enumerate(table.class_names)}
        counts |= {"by_class": by_class} if positive is None else {"positive": by_class[positive]}
    else:
        made = {arm: measured_intervals(rows, *sizes) for arm, rows in tables.items()}
        document["modalities"][modality] = {arm: {m: made[arm][m] for m in rows.values} for arm, rows in tables.items()}
    document["counts"][modality] = counts


def _families(tables: Sequence[AnyRows]) -> dict[str, str]:
    """What each family of tests holds, in words."""
    scored = [table for table in tables if isinstance(table, Rows)]
    tested = list(dict.fromkeys(metric_words(metric) for rows in scored for metric in tested_metrics(rows)))
    words = {}
    if scored:
        every = "both" if len(tested) == 2 else "all"
        named = " and ".join(filter(None, [", ".join(tested[:-1]), tested[-1]]))
        words = {
            GIVEN_SPLIT: f"McNemar mid-p and {every} clustered permutation tests, of every modality and pair of arms",
            RESPLITS: f"the corrected resampled t-tests of {named}, of every modality and pair of arms",
        }
    if len(scored) < len(tables):
        words[MEASURES] = "sign-flip permutation and signed-rank tests over patients, of every measure and pair of arms"
    return words


def _threshold(arms: Arms) -> float | dict[str, float]:
    """The one threshold of all arms, or that of each."""
    each = {arm: rows.threshold for arm, tables in arms.items() for rows in tables.values() if isinstance(rows, Rows)}
    return next(iter(each.values()), 0.5) if len(set(each.values())) < 2 else each


def _verdicts(tests: list[dict], settings: ComparisonSettings) -> list[dict]:
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for test in tests:
        if test["family"] is not None:
            groups.setdefault((test["modality"], test["a"], test["b"]), []).append(test)
    return [
        {"modality": modality, "a": a, "b": b, "sentence": overall_verdict(group, settings.alpha)}
        for (modality, a, b), group in groups.items()
    ]
