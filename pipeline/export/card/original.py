"""The model card of an imported bundle: what can be said of models whose training nobody here has seen."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.export.card.facts import NOT_A_DEVICE
from pipeline.export.card.tables import files_table, table


def write_original_card(document: Mapping, files: Mapping[str, Mapping]) -> str:
    """Markdown for a bundle of ``OriginalExporter``; ``document`` is its ``bundle.json`` without the file table."""
    training, parity = document["training"], document["parity"]
    index = training["positive_index"]
    reading = (
        "the models' output is read as the probability of Non_COVID (COVID was class 0), so COVID gets 1 - output"
        if index == 0 else "the models' output is read as the probability of COVID (COVID was class 1)"
    )  # fmt: skip
    imported = [[name, f"`{digest}`"] for name, digest in sorted(training["imported_from"].items())]
    sources = table(["imported file", "SHA-256"], imported)
    checks = [[name, f"{check['max_difference']:.1e}"] for name, check in sorted(parity["checks"].items())]
    sizes = ", ".join(f"{name} ({profile['size']} px)" for name, profile in sorted(document["profiles"].items()))
    return f"""# COVID on chest X-ray and CT: imported models

Nine Keras models of the original respiratory-scan pipeline, converted to ONNX. How they were trained, on which scans, under
which terms and how well they do is **not known here**: there are no figures. To get some, on labelled scans of your own:

```
python run_pipeline.py predict --bundle BUNDLE --xray XRAY.png --ct CT.png
python run_pipeline.py evaluate --bundle BUNDLE --data DIR --out DIR
```

## Intended use

Research: comparing the original with what is trained here. {NOT_A_DEVICE}

## Inputs

Profiles: {sizes}. Gray; CLAHE (clip 4.0, 8 × 8 tiles), for CT also a 2 × 2 opening; the backbones get values 0 to 255 in three
equal channels, as in the original's training.

## Reading of the output

Positive index {index}: {reading}. There is no head for the pair: X-ray and CT are answered apart. Threshold 0.5.

## Limits

The original used its test part to choose its models, fed its backbones unscaled pixels, and trained its generator and its
discriminator towards the same end. Whether these models suffer from it, only an evaluation on fresh scans can tell.

## Parity with Keras

Largest difference {parity["keras_max_difference"]:.1e}, limit {parity["limit"]:.0e}. Weights that float16 holds exactly
are stored so, all others as float32: no number was changed.

{table(["graph and output", "difference"], checks)}

## Files

{sources}

{files_table(files)}
"""
