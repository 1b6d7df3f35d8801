"""Every figure of a comparison, by name."""

from matplotlib.figure import Figure

from pipeline.evaluation.comparison.words import ENSEMBLE, estimand_words, sentence
from pipeline.evaluation.figures.calibration import calibration_figure
from pipeline.evaluation.figures.confusion import confusion_figure
from pipeline.evaluation.figures.forest import forest_figure
from pipeline.evaluation.figures.measures import measures_figure
from pipeline.evaluation.figures.panels import curve_panels
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.figures.seeds import seed_spread_figure
from pipeline.evaluation.tables.rows import Arms, MeasuredRows, Rows

CONFUSION = "count, and share of the true class"


def comparison_figures(arms: Arms, document: dict) -> dict[str, Figure]:
    """"roc", "confusion", "metrics", "calibration", "training_noise", and "measures" of masks, as far as the arms have them.

    arms: as given to `build_comparison`; document: what it returned.
    """
    figures, counts = {"metrics": forest_figure(document)}, _trainings(arms)
    mean, ensemble = estimand_words(counts), estimand_words(counts, ENSEMBLE)
    if document["confusion"]:
        title = f"{sentence(ensemble)}: {CONFUSION}"
        figures["confusion"] = confusion_figure(document["confusion"], ordered_classes(document), title)
        figures["training_noise"] = seed_spread_figure(arms, document)
    if curve_panels(arms):
        figures["roc"] = roc_figure(arms, document, seed=document["settings"]["seed"], title=f"ROC, {mean}")
        figures["calibration"] = calibration_figure(arms, title=f"Calibration, {ensemble}")
    measured: dict[str, dict] = {}
    for arm, tables in arms.items():
        for table in tables.values():
            for measure, column in table.values.items() if isinstance(table, MeasuredRows) else ():
                measured.setdefault(measure, {})[arm] = column
    if measured:
        figures["measures"] = measures_figure(measured, "Every scan, and the mean over scans")
    return figures


def _trainings(arms: Arms) -> set[int]:
    """The numbers of trainings that arms have."""
    return {len(rows.predicted) for tables in arms.values() for rows in tables.values() if isinstance(rows, Rows)}


def ordered_classes(document: dict) -> dict[str, list[str]]:
    """The class names of each modality as its confusion counts go: the positive one of two last."""
    return {
        modality: sorted(said["names"], key=lambda name: name == said["positive"]) if said["positive"] else said["names"]
        for modality, said in document["classes"].items()
    }
