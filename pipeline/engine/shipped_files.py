"""What comes with the project beside its code: configurations and bundles."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
# The wheel carries them inside the package (pyproject.toml says which); in a repository they lie beside it.
_INSTALLED = _PACKAGE / "shipped"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent


def shipped(place: str | Path) -> Path:
    """Where a file or folder of the repository, named from its top, lies here. Not all of them are shipped: it may not exist."""
    return ROOT / place
