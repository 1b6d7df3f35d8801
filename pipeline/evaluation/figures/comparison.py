"""Every figure of a comparison, by name."""

from matplotlib.figure import Figure

from pipeline.evaluation.figures.calibration import calibration_figure
from pipeline.evaluation.figures.confusion import confusion_figure
from pipeline.evaluation.figures.forest import forest_figure
from pipeline.evaluation.figures.roc import roc_figure
from pipeline.evaluation.figures.seeds import seed_spread_figure
from pipeline.evaluation.tables.prediction_table import PredictionTable


def comparison_figures(
    predictions: dict[str, dict[str, PredictionTable]],
    document: dict,
    class_names: tuple[str, str] = ("Non_COVID", "COVID"),
) -> dict[str, Figure]:
    """{"roc", "confusion", "metrics", "calibration", "training_noise": matplotlib Figure}.

    predictions: as given to `build_comparison`; document: what it returned; class_names: negative, positive.
    """
    return {
        "roc": roc_figure(predictions, document, seed=document["settings"]["seed"]),
        "confusion": confusion_figure(document["confusion"], class_names),
        "metrics": forest_figure(document),
        "calibration": calibration_figure(predictions),
        "training_noise": seed_spread_figure(predictions, document),
    }
