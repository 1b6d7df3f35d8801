"""What a running stage is given: its configuration, its inputs, and the place of its outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from pipeline.engine.arrays import Array, ArrayWriter, open_array
from pipeline.engine.contract import Artifact
from pipeline.engine.errors import ContractError, CorruptArtifactError, MissingArtifactError, did_you_mean
from pipeline.engine.files import atomic_write_bytes, write_json
from pipeline.engine.progress import Reporter
from pipeline.engine.shapes import ShapeBook

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    from matplotlib.figure import Figure

T = TypeVar("T")
FIGURE_DPI = 150


class Context:
    """The one argument of ``Stage.run``.

    `config` is the stage's section, `seed` its own seed (31 bit), `data` the folder given with
    --data (or None), `flags` the run's permissions such as "allow-leakage". Outputs go to a
    staging folder that replaces the stage's folder only after the stage has finished.
    """

    def __init__(
        self,
        *,
        config: Any,
        seed: int,
        data: Path | None,
        flags: frozenset[str],
        inputs: Mapping[str, Path],
        optional: Iterable[str],
        outputs: Mapping[str, Artifact],
        staging: Path,
        scratch: Path,
        reporter: Reporter,
    ) -> None:
        self.config = config
        self.seed = seed
        self.data = data
        self.flags = flags
        self.warnings: list[str] = []
        self.shapes = ShapeBook()
        self._inputs = dict(inputs)
        self._optional = frozenset(optional)
        self._outputs = dict(outputs)
        self._staging = staging
        self._scratch = scratch
        self._reporter = reporter

    @property
    def scratch(self) -> Path:
        """A folder for the state of long work (a training's last epoch).

        It outlives a killed run and is found again only by the same stage with the same
        configuration, code, seed and inputs; it is removed once the stage is committed.
        """
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    def has(self, name: str) -> bool:
        """Whether the declared input exists in this run (an optional one may not)."""
        self._check_declared(name)
        return name in self._inputs

    def input(self, name: str) -> Path:
        """Return the path of an input artifact. Raises MissingArtifactError for an absent optional one."""
        if not self.has(name):
            raise MissingArtifactError(f"Artifact {name!r} is made by no stage of this run.")
        return self._inputs[name]

    def load(self, name: str) -> Array:
        """Map an input array read-only (see `arrays.open_array`)."""
        return open_array(self.input(name))

    def load_json(self, name: str) -> Any:
        """Read an input JSON file. Raises CorruptArtifactError."""
        path = self.input(name)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CorruptArtifactError(f"{path} is not JSON ({error}).") from error

    def load_csv(self, name: str, text: Sequence[str] = ()) -> pd.DataFrame:
        """Read an input table; the columns named in `text` stay strings (ids such as "007")."""
        import pandas as pd

        kinds: dict[str, Any] = dict.fromkeys(text, str)
        frame = pd.read_csv(self.input(name), dtype=kinds)
        return frame.fillna(dict.fromkeys(text, "")) if text else frame

    def output(self, name: str) -> Path:
        """Return where to write an output; its folder exists. Raises ContractError for an undeclared name."""
        artifact = self._declared(name)
        path = self._staging / artifact.file
        (path if artifact.is_folder else path.parent).mkdir(parents=True, exist_ok=True)
        return path

    def save(self, name: str, array: ArrayLike) -> None:
        """Write an output array. Raises ContractError where dtype or shape differ from the declaration."""
        values = np.asarray(array)
        self.shapes.check(self._declared(name), values.shape, values.dtype)
        with self.output(name).open("wb") as stream:
            np.save(stream, np.ascontiguousarray(values) if values.ndim else values, allow_pickle=False)

    def writer(self, name: str, tail_shape: Sequence[int]) -> ArrayWriter:
        """Open an output array for rows of `tail_shape` appended one block after another."""
        artifact = self._declared(name)
        if artifact.dtype is None:
            raise ContractError(f"Artifact {name!r} declares no dtype.")
        return ArrayWriter(self.output(name), tail_shape, artifact.dtype)

    def save_json(self, name: str, value: Any) -> None:
        """Write an output as JSON: sorted keys, NaN as null (see `files.write_json`)."""
        write_json(self.output(name), value)

    def save_csv(self, name: str, frame: pd.DataFrame) -> None:
        """Write an output table without its index; floats keep every digit."""
        frame.to_csv(self.output(name), index=False, lineterminator="\n", encoding="utf-8", errors="backslashreplace")

    def save_bytes(self, name: str, content: bytes) -> None:
        """Write an output as it stands."""
        atomic_write_bytes(self.output(name), content)

    def save_figure(self, name: str, figure: Figure) -> None:
        """Write a figure as PNG without dates or versions, so that equal figures give equal bytes."""
        metadata: dict[str, Any] = {"Software": None}
        figure.savefig(self.output(name), format="png", dpi=FIGURE_DPI, metadata=metadata)

    def progress(self, iterable: Iterable[T], total: int | None = None, label: str = "") -> Iterator[T]:
        """Yield from `iterable` and show how far it is."""
        return self._reporter.track(iterable, total, label)

    def log(self, text: str) -> None:
        """Tell the user one line."""
        self._reporter.line(f"  {text}")

    def warn(self, text: str) -> None:
        """Tell the user, and keep the sentence in the manifest: status and reports repeat it."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._reporter.line(f"  warning: {text}")

    def _declared(self, name: str) -> Artifact:
        if name not in self._outputs:
            near = did_you_mean(name, self._outputs)
            raise ContractError(f"The stage declares no output {name!r}.{near}")
        return self._outputs[name]

    def _check_declared(self, name: str) -> None:
        if name not in self._inputs and name not in self._optional:
            near = did_you_mean(name, [*self._inputs, *self._optional])
            raise ContractError(f"The stage declares no input {name!r}.{near}")
