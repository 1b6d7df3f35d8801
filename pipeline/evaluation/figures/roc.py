"""ROC curves of the arms, one panel for each modality."""

from matplotlib.figure import Figure

from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.figures.style import GRAY, LINES, PALETTE, new_figure, set_title
from pipeline.evaluation.metrics.roc_band import roc_band
from pipeline.evaluation.statistics.intervals import metric_intervals
from pipeline.evaluation.tables.prediction_table import PredictionTable


def roc_figure(
    predictions: dict[str, dict[str, PredictionTable]],
    document: dict | None = None,
    resamples: int = 300,
    seed: int = 0,
) -> Figure:
    """ROC with a 95 % patient-clustered bootstrap band for each arm.

    predictions: arm -> modality -> table; document: the comparison, whose AUC intervals the legend then
    gives, so that figure and table agree. A modality whose rows are of one class gets a note instead.
    """
    names = list(dict.fromkeys(name for tables in predictions.values() for name in tables))
    figure, axes = new_figure(1, len(names), 4.4, 4.6)
    for axis, modality in zip(axes, names, strict=True):
        axis.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=":")
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=title_of(modality))
        axis.set(xlabel="False-positive rate (1 − specificity)", ylabel="Sensitivity")
        for place, (arm, tables) in enumerate(predictions.items()):
            table = tables.get(modality)
            if table is None:
                continue
            if table.labels.min() == table.labels.max():
                axis.text(0.5, 0.5, "rows of one class only", ha="center", va="center", color=GRAY)
                break
            band = roc_band(table.labels, table.probabilities, table.clusters, resamples, seed)
            if document is not None:
                auc = document["modalities"][modality][arm]["auc"]
            else:
                auc = metric_intervals(table.labels, table.probabilities, table.clusters, seed=seed)["auc"]
            text = f"{arm}: AUC {auc['value']:.3f}"
            if auc["low"] is not None:
                text += f" [{auc['low']:.3f}, {auc['high']:.3f}]"
            color = PALETTE[place % len(PALETTE)]
            rate = band.false_positive_rate
            axis.fill_between(rate, band.low, band.high, color=color, alpha=0.18, linewidth=0)
            axis.plot(rate, band.sensitivity, color=color, linestyle=LINES[place % len(LINES)], label=text)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(loc="lower right", fontsize=8, frameon=True, framealpha=0.9)
    set_title(figure, "ROC, mean over training seeds, with 95 % patient-clustered band")
    return figure
