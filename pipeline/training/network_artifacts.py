"""Networks in and out of a stage's artifacts: ``<name>_weights`` and ``<name>_architecture``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.engine.context import Context

if TYPE_CHECKING:
    import keras


def save_network(context: Context, name: str, model: keras.Model) -> None:
    """Write a network to its two declared artifacts."""
    from pipeline.models.stored_models import save_model

    save_model(model, context.output(f"{name}_weights"), context.output(f"{name}_architecture"))


def load_network(context: Context, name: str) -> keras.Model:
    """Read a network from two artifacts that the stage declares as inputs. Raises as ``load_model``."""
    from pipeline.models.stored_models import load_model

    return load_model(context.input(f"{name}_weights"), context.input(f"{name}_architecture"))
