"""The nine whole Keras models of the original pipeline, found in one folder, loaded safely and checked against each other.

The original saves each trained part as one HDF5 file under a fixed stem, with the backbone's name behind it where
there is one: ``X_Embed_Task_EfficientNetB0.h5``, ``CT_Embed_Task_EfficientNetB1.h5``, ``X_Embed_Shared_ResNet50.h5``,
``CT_Embed_Shared_ResNet50V2.h5``, ``X_Ray_Task.h5``, ``CT_Scan_Task.h5``, ``Shared_Model.h5``, ``Classifier_Head_X.h5``,
``Classifier_Head_CT.h5``. Anything may stand between the stem and ``.h5`` or ``.hdf5`` (``Classifier_Head_X_Model.h5``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import keras

from pipeline.engine.errors import CorruptArtifactError, DataError, MissingArtifactError, UsageError

EMBEDDERS = ("xray_task", "xray_shared", "ct_task", "ct_shared")
STEMS: dict[str, tuple[str, ...]] = {
    "xray_task": ("X_Embed_Task",),
    "ct_task": ("CT_Embed_Task",),
    "xray_shared": ("X_Embed_Shared",),
    "ct_shared": ("CT_Embed_Shared",),
    "task_xray": ("X_Ray_Task", "X_Task"),
    "task_ct": ("CT_Scan_Task", "CT_Task"),
    "shared": ("Shared",),
    "head_xray": ("Classifier_Head_X",),
    "head_ct": ("Classifier_Head_CT",),
}
EXPORT_AGAIN = "Save it again with model.save(path) from the Keras that made it, or with Keras 3."


def find_models(folder: Path) -> dict[str, Path]:
    """The file of each part.

    Raises:
        UsageError: no such folder. MissingArtifactError: parts without a file, all named.
        DataError: two files for one part.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder.", "Give --original the folder of the original's .h5 files.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".h5", ".hdf5") and path.is_file())
    found: dict[str, Path] = {}
    for part, stems in STEMS.items():
        pattern = re.compile(rf"(?:{'|'.join(stems)})(?![A-Za-z0-9])", re.IGNORECASE)
        mine = [path for path in files if pattern.match(path.name)]
        if len(mine) > 1:
            names = ", ".join(path.name for path in mine)
            raise DataError(f"{folder}: {names} could each be {stems[0]}*.h5.", "Leave one of them.")
        if mine:
            found[part] = mine[0]
    missing = [f"{stems[0]}*.h5" for part, stems in STEMS.items() if part not in found]
    if missing:
        raise MissingArtifactError(f"{folder}: no file for {', '.join(missing)}.", "All nine models of the original are needed.")
    return found


def load_models(files: Mapping[str, Path]) -> dict[str, keras.Model]:
    """Load every file without its optimiser; no custom object and no Lambda is admitted.

    Raises:
        CorruptArtifactError: a file is broken, unsafe, or of a Keras that this one cannot read.
    """
    return {part: _load(path) for part, path in files.items()}


def check_shapes(models: Mapping[str, keras.Model], files: Mapping[str, Path]) -> None:
    """Check that each model accepts what the ones before it give.

    Raises:
        DataError: naming every model that does not fit, with what it takes and what it is given.
    """
    faults: list[str] = []
    for part in EMBEDDERS:
        shape = tuple(models[part].input_shape)
        if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2] or not shape[1]:
            faults.append(f"{files[part].name} takes {shape}, an RGB image (None, S, S, 3) was expected")
    for part, model in models.items():
        if tuple(model.output_shape) != (None, 1):
            faults.append(f"{files[part].name} gives {tuple(model.output_shape)}, one number (None, 1) was expected")
    width = {part: features_before_logit(model, files[part]).output_shape[-1] for part, model in models.items()}
    for reader, given in _wiring(width):
        taken = tuple(models[reader].input_shape)
        if taken != (None, given):
            faults.append(f"{files[reader].name} takes {taken}, it is given (None, {given})")
    if faults:
        raise DataError(
            f"The models do not fit each other: {'; '.join(faults)}.", "Collect the files of one and the same training."
        )


def features_before_logit(model: keras.Model, file: Path) -> keras.Model:
    """The model up to what enters its last Dense, the feature that the next part reads.

    Raises:
        CorruptArtifactError: it has no Dense, or one that is used twice.
    """
    dense = next((layer for layer in reversed(model.layers) if isinstance(layer, keras.layers.Dense)), None)
    if dense is None:
        raise CorruptArtifactError(f"{file.name} has no Dense layer: it is not a part of the pipeline.", EXPORT_AGAIN)
    try:
        return keras.Model(model.inputs[0], dense.input, name=f"{model.name}_features")
    except (AttributeError, ValueError) as cause:
        raise CorruptArtifactError(f"{file.name}: what enters its last Dense cannot be told ({cause}).", EXPORT_AGAIN) from cause


def ends_in_sigmoid(model: keras.Model) -> bool:
    """Whether the model's output is already a probability."""
    return getattr(getattr(model.layers[-1], "activation", None), "__name__", "") == "sigmoid"


def _wiring(width: Mapping[str, int]) -> list[tuple[str, int]]:
    return [
        *((f"task_{m}", width[f"{m}_task"]) for m in ("xray", "ct")),
        *(("shared", width[f"{m}_shared"]) for m in ("xray", "ct")),
        *((f"head_{m}", width[f"task_{m}"] + width["shared"]) for m in ("xray", "ct")),
    ]


def _load(path: Path) -> keras.Model:
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError, RuntimeError) as cause:
        reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise CorruptArtifactError(f"{path} cannot be loaded: {reason}", EXPORT_AGAIN) from cause
    if not getattr(model, "inputs", None) or len(model.inputs) != 1:
        raise CorruptArtifactError(f"{path} is not a model with one input.", EXPORT_AGAIN)
    model.name = path.stem
    return model
