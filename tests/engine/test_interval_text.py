"""How a value with its interval reads."""

import pytest

from pipeline.engine.interval_text import interval_text


@pytest.mark.parametrize(
    ("interval", "form", "text"),
    [
        ({"value": 0.9124, "low": 0.88, "high": 0.9412}, {}, "0.912 [0.880, 0.941]"),
        ({"value": 12.34, "low": 1.0, "high": 20.0}, {"digits": 1}, "12.3 [1.0, 20.0]"),
        ({"value": 0.5, "low": None, "high": None}, {}, "0.500"),
        ({"value": 0.5}, {}, "0.500"),
        ({"value": None, "low": None, "high": None}, {}, "undefined"),
        ({"value": 0.01, "low": -0.02, "high": 0.04}, {"signed": True}, "+0.010 [-0.020, +0.040]"),
        ({"value": 0.125, "low": 0.1, "high": 0.2}, {"digits": 1, "percent": True}, "12.5% [10.0%, 20.0%]"),
    ],
)
def test_forms(interval, form, text):
    assert interval_text(interval, **form) == text
