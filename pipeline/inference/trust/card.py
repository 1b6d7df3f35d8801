"""A bundle's model card."""

from __future__ import annotations

import re

CARD = "MODEL_CARD.md"
_LIMITS = "Limits"


def limits_on(card: str) -> list[str]:
    """The points of a model card's section on its limits; [] where it has none."""
    section = re.search(rf"^## {_LIMITS}\n(.*?)(?=^## |\Z)", card, flags=re.MULTILINE | re.DOTALL)
    points = re.findall(r"^- (.*?)(?=^- |^$|\Z)", section[1], flags=re.MULTILINE | re.DOTALL) if section is not None else []
    return [" ".join(point.split()) for point in points]
