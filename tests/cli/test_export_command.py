import subprocess
import sys

import pytest

from pipeline.cli.app import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "b"], "Export what?"),
        (["--run", "r", "--original", "o", "--out", "b"], "Export what?"),
        (["--original", "o", "--keras", "--out", "b"], "--keras goes with --run or --checkpoint"),
        (["--run", "r", "--positive-index", "1", "--out", "b"], "--positive-index goes with --original"),
        (["--run", "r", "--classes", "A,B", "--out", "b"], "--checkpoint and --classes belong together"),
        (["--checkpoint", "c", "--out", "b"], "--checkpoint and --classes belong together"),
        (["--original", "o", "--system", "classifier", "--out", "b"], "--system goes with --run"),
    ],
)
def test_commands_that_make_no_sense(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main((), ["export", *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_card_that_is_no_text(tmp_path, capsys):
    assert main((), ["export", "--run", str(tmp_path), "--card", str(tmp_path / "none.md"), "--out", str(tmp_path / "b")]) == 4
    assert "none.md" in capsys.readouterr().err


def test_help_does_not_load_tensorflow():
    code = (
        "import sys; from pipeline.cli.app import main; main((), ['export', '--help']);"
        "print('loaded:', [name for name in ('tensorflow', 'keras', 'onnx', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout and "--original" in done.stdout


def test_a_folder_that_is_no_run(tmp_path, capsys):
    assert main((), ["export", "--run", str(tmp_path), "--out", str(tmp_path / "b")]) == 3
    assert "is not a run folder" in capsys.readouterr().err


def test_missing_original_folder(tmp_path, capsys):
    assert main((), ["export", "--original", str(tmp_path / "o"), "--out", str(tmp_path / "b")]) == 2
    assert "no such folder" in capsys.readouterr().err
