"""What a stage declares: its configuration, the artifacts it reads and the artifacts it makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pipeline.engine.config import StageConfig
from pipeline.engine.errors import ContractError

if TYPE_CHECKING:
    from pipeline.engine.context import Context

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class Artifact:
    """One output of a stage.

    `file` is relative to the stage's folder; a trailing "/" declares a folder of files. `shape`
    mixes sizes and symbols, such as ``("N", 1280)``: equal symbols stand for equal sizes within
    one stage; a last symbol that ends in "?" stands for an axis that may lack. `shape` and `dtype` are
    checked for ``.npy`` files only.
    """

    name: str
    file: str
    shape: tuple[int | str, ...] | None = None
    dtype: str | None = None
    unit: str = ""
    meaning: str = ""

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.file).parts
        if not parts or self.file.startswith("/") or ".." in parts or parts[0] == MANIFEST_NAME:
            raise ContractError(f"Artifact {self.name!r} cannot be stored as {self.file!r}.")

    @property
    def is_folder(self) -> bool:
        return self.file.endswith("/")

    @property
    def is_array(self) -> bool:
        return self.file.endswith(".npy")


@dataclass(frozen=True)
class Input:
    """The name of an artifact that a stage reads; an optional one may be made by no stage of the run."""

    name: str
    optional: bool = False


def no_files(config: Any, data: Path | None) -> Iterable[Path]:
    """Declare that a stage reads no file besides its input artifacts."""
    return ()


@dataclass(frozen=True)
class Stage:
    """One numbered step of a run.

    `inputs` and `outputs` are told the stage's configuration. `external` is told the
    configuration and the data folder, and names the user's files that the stage reads (scans,
    weight files, the files of a bundle): their content decides whether the stage is stale.
    """

    name: str
    summary: str
    config: type[StageConfig]
    inputs: Callable[[Any], tuple[Input, ...]]
    outputs: Callable[[Any], tuple[Artifact, ...]]
    run: Callable[[Context], None]
    external: Callable[[Any, Path | None], Iterable[Path]] = no_files

    def __post_init__(self) -> None:
        if not re.fullmatch(r"s\d\d_[a-z0-9_]+", self.name):
            raise ContractError(f"Stage name {self.name!r} is not of the form 's02_embeddings'.")

    @property
    def id(self) -> str:
        """The short id: ``"s02"`` of ``"s02_embeddings"``."""
        return self.name.partition("_")[0]


def model_artifacts(name: str, meaning: str) -> tuple[Artifact, Artifact]:
    """Declare a stored Keras model: its weights (``.weights.h5``) and its architecture (``.json``)."""
    return (
        Artifact(f"{name}_weights", f"{name}.weights.h5", meaning=f"{meaning}: weights"),
        Artifact(f"{name}_architecture", f"{name}.json", meaning=f"{meaning}: architecture"),
    )
