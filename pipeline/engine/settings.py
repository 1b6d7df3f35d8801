"""The base of every section of a configuration: what a setting means stands as a docstring under it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Unknown keys refused, frozen, no infinite number. Every setting has a docstring: `describe` and the documents show it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
