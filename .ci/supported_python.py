"""Called when the package is built: an unsupported Python is named before pip looks for packages that it has none of.

pip compares requires-python itself, but the pip that comes with Python 3.10 only after every other requirement.
"""

import platform

from hatchling.metadata.plugin.interface import MetadataHookInterface
from packaging.specifiers import SpecifierSet


class SupportedPython(MetadataHookInterface):
    def update(self, metadata: dict) -> None:
        """Changes nothing. Ends the build where this Python is not among those that pyproject.toml allows."""
        allowed, found = metadata["requires-python"], platform.python_version()
        if not SpecifierSet(allowed).contains(found, prereleases=True):
            raise SystemExit(f"{metadata['name']} needs Python {allowed}; this is {found}. Call the pip of another one.")
