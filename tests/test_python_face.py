"""`from pipeline import open_bundle, compare`: what importing it costs, and what it must not pull in."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("numpy", "cv2", "onnxruntime", "tensorflow", "keras", "pandas", "pydantic", "matplotlib", "scipy", "jinja2")


def loaded_after(code: str) -> set[str]:
    """The HEAVY modules that a new interpreter has loaded once it ran `code`."""
    told = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_after("import pipeline; dir(pipeline); pipeline.__all__") == set()


def test_answering_loads_no_tensorflow_no_pandas_and_no_drawing():
    scan = ROOT / "tests" / "pretrained" / "respiratory_mtl_scans" / "viral_14_xray.png"
    code = f"from pipeline import open_bundle\nopen_bundle('pneumonia_binary').answer({str(scan)!r}).to_dict()"
    assert loaded_after(code).isdisjoint({"tensorflow", "keras", "pandas", "matplotlib"})


def test_the_face_is_listed_found_and_the_same_each_time():
    assert set(pipeline.__all__) <= set(dir(pipeline))
    for name in pipeline.__all__:
        assert callable(getattr(pipeline, name)) and getattr(pipeline, name) is getattr(pipeline, name)
    with pytest.raises(AttributeError, match="no attribute 'predict'"):
        pipeline.predict  # noqa: B018
    from pipeline import systems

    assert systems.SYSTEMS


def test_type_checkers_are_told_of_the_same_names():
    tree = ast.parse((ROOT / "pipeline" / "__init__.pyi").read_text(encoding="utf-8"))
    named = {alias.asname: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(named) == set(pipeline.__all__)
    assert {name: place.partition(":")[0] for name, place in pipeline._FACE.items()} == named
    assert (ROOT / "pipeline" / "py.typed").is_file()


def test_no_stage_goes_stale_when_the_face_changes():
    from pipeline.engine.fingerprint import Fingerprinter
    from pipeline.engine.hash_cache import HashCache
    from stages import STAGES

    fingerprinter = Fingerprinter(HashCache(None))
    modules = set(fingerprinter.stage(STAGES[0]).modules)
    assert "pipeline" in modules and modules.isdisjoint({"pipeline.comparing", "pipeline.inference.given_bundle"})


def test_what_lacks_an_extra_is_told_which():
    told = loaded_after(
        "import sys; sys.modules['pandas'] = None\n"
        "try:\n    from pipeline import compare\n"
        "except Exception as error:\n    print(type(error).__name__, str(error).replace(' ', '_'))"
    )
    assert "MissingPackageError" in told and any("[evaluate]" in words for words in told)
