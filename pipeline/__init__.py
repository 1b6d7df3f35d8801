"""Library of the respiratory-scan pipeline: usable without the numbered stages. Its face: `open_bundle` and `compare`."""

from typing import Any

__all__ = ["compare", "open_bundle"]
# "module:attribute", imported when it is first asked for: whoever imports a part of the package pays for no other.
_FACE = {"compare": "pipeline.comparing:compare", "open_bundle": "pipeline.inference.given_bundle:open_bundle"}


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module, _, attribute = _FACE[name].partition(":")
    # By a relative name, which the code hash of a stage does not follow.
    with importlib.import_module(".engine.extras", __name__).brought_by_extra():
        return globals().setdefault(name, getattr(importlib.import_module(module), attribute))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
