"""Files that are broken by chance, and those that are made to break a reader: an answer or a refusal, never a failure."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pydicom
import pytest
from served import decoders, listening, noise

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from mutations import mutated

from pipeline.cli.bench.service.load import Client, form

OPEN = {"gate": "false"}
GROWTH = 64 << 20


def whole_dicom() -> bytes:
    from dicom_marked import marked_dicom

    return marked_dicom("A")


def whole_files(folder: Path) -> dict[str, bytes]:
    """One good file of each kind that the readers' own tests break: PNG, JPEG, TIFF, and DICOM of every codec."""
    from tests.data import test_reading_dicom_mutations as objects
    from tests.data import test_reading_raster_mutations as rasters

    dicom = {f"{kind}.dcm": content for kind, content in objects.whole_files(folder).items()}
    return rasters.png_files() | rasters.jpeg_files() | rasters.tiff_files() | dicom


def upload_mutated(of_service, count: int, folder: Path) -> dict:
    """`count` mutated files, one after another: how many were answered and refused, the slowest, how many decoders ended (they
    crash, or are ended over a file that takes 2 seconds of the processor, or 10 on the clock), and how the memory grew once
    every kind had come to every decoder."""
    rng, files, process = np.random.default_rng(4711), whole_files(folder), psutil.Process()

    def held() -> int:
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))

    told = {"files": count, "kinds": len(files), "statuses": {}, "slowest_s": 0.0}
    with listening(of_service) as (address, _):
        client, before, first = Client(address), 0, decoders()
        for number in range(count):
            if number == count // 4:
                before = held()
            name = list(files)[number % len(files)]
            body = form([("file", mutated(files[name], rng, 132 if name.endswith(".dcm") else 8))], OPEN)
            reply = client.post("/predict", body.replace(b'filename="scan.png"', f'filename="{name}"'.encode()))
            told["statuses"][reply.status] = told["statuses"].get(reply.status, 0) + 1
            told["slowest_s"] = max(told["slowest_s"], round(reply.seconds, 2))
        told |= {"growth": held() - before, "decoders": len(first), "ended": len(first - decoders())}
        assert client.post("/predict", form([("file", noise())], OPEN)).status == 200
    return told


def hold(told: dict) -> None:
    assert set(told["statuses"]) == {200, 422} and told["decoders"] and told["ended"] == 0 and told["growth"] < GROWTH, told


@pytest.mark.filterwarnings("ignore")
def test_mutated_files_are_answered_or_refused(settings, tmp_path):
    hold(upload_mutated(settings, 160, tmp_path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_thousands_of_mutated_files(settings, tmp_path, capsys, request):
    told = upload_mutated(settings, request.config.getoption("mutated_files"), tmp_path)
    with capsys.disabled():
        print(f"\n{told}")
    hold(told)


def edited(edit) -> bytes:
    held = pydicom.dcmread(BytesIO(whole_dicom()))
    edit(held)
    stream = BytesIO()
    held.save_as(stream)
    return stream.getvalue()


def without_syntax() -> bytes:
    """The transfer syntax's element is overwritten by a private one of the same length."""
    return whole_dicom().replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI")


OBJECTS = {
    "without pixels": (lambda: edited(lambda held: held.__delattr__("PixelData")), 422, "without pixel data"),
    "without syntax": (without_syntax, 200, ""),
    "rows beyond its pixels": (lambda: edited(lambda held: setattr(held, "Rows", 100)), 422, ""),
    "fewer rows": (lambda: edited(lambda held: setattr(held, "Rows", 32)), 422, ""),
    "no rows": (lambda: edited(lambda held: setattr(held, "Rows", 0)), 422, ""),
    "RTSTRUCT": (lambda: edited(lambda held: setattr(held, "Modality", "RTSTRUCT")), 422, "RTSTRUCT"),
    "SR": (lambda: edited(lambda held: (setattr(held, "Modality", "SR"), held.__delattr__("PixelData"))), 422, "SR"),
    "zip": (lambda: b"PK\x03\x04" + bytes(400), 422, "not a scan"),
    "encrypted": (lambda: whole_dicom()[:132] + np.random.default_rng(0).bytes(4000), 422, ""),
    "program in its preamble": (lambda: b"MZ".ljust(128, b"\0") + whole_dicom()[128:], 422, "too"),
    "TIFF in its preamble": (lambda: b"II*\0\x08\0\0\0".ljust(128, b"\0") + whole_dicom()[128:], 422, "too"),
    "many frames": (lambda: edited(lambda held: setattr(held, "NumberOfFrames", 100_000)), 422, "frames"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_dicom_object_that_is_odd(client, kind):
    make, status, told = OBJECTS[kind]
    answer = client.post("/predict", files={"file": ("scan.dcm", make())}, data=OPEN)
    assert answer.status_code == status, answer.text
    assert status == 200 or told in answer.json()["detail"] and answer.json()["remedy"]


def spent() -> float:
    """Seconds that the processor has worked for this process and those below it."""
    own = psutil.Process()
    return sum(each.cpu_times().user + each.cpu_times().system for each in (own, *own.children(recursive=True)))


def test_bombs_are_refused_soon_and_in_little_memory(settings):
    """Soon: for less of the processor's time than an honest picture of sixteen megapixels takes, in the same run."""
    from tests.data.test_reading_bounds import BOMBS

    process = psutil.Process()
    bombs = {kind: form([("file", make())], OPEN).replace(b"scan.png", b"scan.dcm") for kind, make in BOMBS.items()}
    with listening(settings) as (address, application):
        client = Client(address)
        client.post("/predict", form([("file", whole_dicom())], OPEN).replace(b"scan.png", b"scan.dcm"))

        def cost(body: bytes, status: int) -> float:
            client.post("/predict", body)
            before = spent()
            assert client.post("/predict", body).status == status
            return spent() - before

        honest = cost(form([("file", noise(side=4096))], OPEN), 200)
        for kind, body in bombs.items():
            before = sum(each.memory_info().rss for each in process.children(recursive=True))
            assert cost(body, 422) < honest, kind
            assert sum(each.memory_info().rss for each in process.children(recursive=True)) - before < 50 << 20, kind
        assert application.state.service.ready
