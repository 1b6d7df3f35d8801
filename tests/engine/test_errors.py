from __future__ import annotations

import pytest

from pipeline.engine import errors
from pipeline.engine.errors import PipelineError, did_you_mean


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("PipelineError", 1),
        ("ContractError", 1),
        ("ConfigError", 2),
        ("UsageError", 2),
        ("RunLockedError", 2),
        ("MissingArtifactError", 3),
        ("StaleArtifactError", 3),
        ("StorageError", 3),
        ("DataError", 4),
        ("CorruptArtifactError", 5),
    ],
)
def test_exit_codes(name, code):
    error = getattr(errors, name)("What.", "How.")
    assert isinstance(error, PipelineError)
    assert (error.exit_code, str(error)) == (code, "What. How.")


def test_message_without_remedy_has_no_trailing_space():
    assert str(PipelineError("What.")) == "What."


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("epoch", " Did you mean 'epochs'?"),
        ("EPOCHS", " Did you mean 'epochs'?"),
        ("efficientnetb0", " Did you mean 'EfficientNetB0'?"),
        ("zzz", ""),
    ],
)
def test_did_you_mean(word, hint):
    assert did_you_mean(word, ["epochs", "factor", "EfficientNetB0"]) == hint
