"""Decoding in processes of their own: order, limits, crashes, shutdown."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from pipeline.data.reading import decoder_pool
from pipeline.data.reading.bounds import Bounds
from pipeline.data.reading.decoder_pool import DecoderPool, NoDecoderError, shared_pool
from pipeline.data.reading.gray_reader import read_gray, read_in_order
from pipeline.data.reading.processes import decoder_process
from pipeline.data.reading.processes.decoder_process import Limits
from pipeline.data.reading.reading_speed import reading_speed
from pipeline.data.reading.scan_reader import decoding_apart, read_scan
from pipeline.engine.errors import DataError, UsageError
from tests.data.raster_encoders import png_chunk

HANG_GUARD_S = 600
NOISE = np.random.default_rng(0).integers(0, 256, (300, 400), dtype=np.uint8)


@pytest.fixture(scope="module")
def pool():
    with DecoderPool(2, Limits(seconds=1.0, memory_mb=600, clock=1.5)) as opened:
        yield opened


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    """40 pictures of their own number, each seventh empty."""
    paths = [tmp_path / f"{number:02}.png" for number in range(40)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.maximum(NOISE, number))
        if number % 7 == 3:
            path.write_bytes(b"")
    return paths


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "decoder_service" in " ".join(child.cmdline())]


def test_a_scan_is_what_it_is_in_this_process(pool: DecoderPool, tmp_path: Path) -> None:
    colour = np.dstack([NOISE, NOISE.T[:300, :1].repeat(400, 1), 255 - NOISE])
    cv2.imwrite(str(tmp_path / "colour.png"), colour)
    cv2.imwrite(str(tmp_path / "deep.tif"), NOISE.astype(np.uint16) * 200)
    for name in ("colour.png", "deep.tif"):
        there, here = pool.read(tmp_path / name), read_scan(tmp_path / name)
        np.testing.assert_array_equal(there.gray, here.gray)
        assert (there.colour is None) == (here.colour is None) == (name == "deep.tif")
        assert there.assumptions == here.assumptions and there.header == here.header and there.warnings == here.warnings
    np.testing.assert_array_equal(pool.read(tmp_path / "colour.png").colour, colour[..., ::-1])
    assert pool.read(tmp_path / "colour.png", with_colour=False).colour is None
    uploaded = pool.decode((tmp_path / "deep.tif").read_bytes(), "upload")
    np.testing.assert_array_equal(uploaded.gray, read_scan(tmp_path / "deep.tif").gray)


def test_errors_are_those_of_the_reader(pool: DecoderPool, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match=r"text\.png: not a scan") as caught:
        pool.read(tmp_path / "text.png")
    assert caught.value.remedy
    with pytest.raises(DataError, match="no such file"):
        pool.read(tmp_path / "absent.png")
    with pytest.raises(DataError, match="upload: empty"):
        pool.decode(b"", "upload")
    cv2.imwrite(str(tmp_path / "one.png"), NOISE)
    with pytest.raises(UsageError, match="no slice"):
        pool.read(tmp_path / "one.png", slice=3)


def test_order_and_errors_in_their_places(pool: DecoderPool, scans: list[Path]) -> None:
    for number, found in enumerate(pool.read_in_order(scans)):
        if number % 7 == 3:
            assert isinstance(found, DataError) and f"{number:02}.png" in str(found)
        else:
            np.testing.assert_array_equal(found.gray, np.maximum(NOISE, number))


def test_relative_paths_begin_where_the_asker_is(pool: DecoderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("first", "second")):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "scan.png"), np.roll(NOISE, number))
    for number, name in enumerate(("first", "second")):
        monkeypatch.chdir(tmp_path / name)
        np.testing.assert_array_equal(pool.read("scan.png").gray, np.roll(NOISE, number))
        found = list(pool.read_in_order(["scan.png", Path("gone.png")] * 3))
        assert all(str(each).startswith("gone.png: no such file") for each in found[1::2])
        assert all((each.gray == np.roll(NOISE, number)).all() for each in found[::2])


def test_reading_ahead_is_bounded(pool: DecoderPool, scans: list[Path]) -> None:
    asked: list[Path] = []

    def paths():
        for path in scans * 3:
            asked.append(path)
            yield path

    for number, _ in enumerate(pool.read_in_order(paths())):
        assert len(asked) <= number + decoder_pool.READ_AHEAD + decoder_pool.BATCH + 1
        if number == 30:
            break


@pytest.mark.posix
def test_a_file_that_keeps_the_decoder_busy_costs_one_file(scans: list[Path], tmp_path: Path) -> None:
    side = 11000
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(side * (side + 1))))
    (tmp_path / "busy.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b""))
    with DecoderPool(1, Limits(seconds=0.1)) as own:
        found = list(own.read_in_order([scans[0], tmp_path / "busy.png", scans[1], scans[2]], with_colour=False))
    assert [isinstance(one, DataError) for one in found] == [False, True, False, False]
    assert "busy.png: reading it took over 0.1 s of processor time" in found[1].message and found[1].remedy


@pytest.mark.posix
def test_a_file_larger_than_the_memory_costs_one_file(pool: DecoderPool, scans: list[Path], tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    with huge.open("wb") as stream:
        stream.truncate(3 << 30)
    found = list(pool.read_in_order([scans[0], huge, scans[1]]))
    assert [isinstance(one, DataError) for one in found] == [False, True, False]
    assert "huge.png: needs more memory" in found[1].message


def test_where_a_pipe_holds_little_each_request_follows_a_reply(scans: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: nothing is written while a worker may be writing, and files and answers still belong together."""
    written: list[str] = []
    real = decoder_process.send_frame, decoder_process.receive_frame
    monkeypatch.setattr(decoder_process, "send_frame", lambda write, what: written.append("asked") or real[0](write, what))
    monkeypatch.setattr(decoder_process, "receive_frame", lambda read: (real[1](read), written.append("answered"))[0])
    monkeypatch.setattr(decoder_process, "_ASKED_AHEAD", 1)
    with DecoderPool(1) as own:
        found = list(own.read_in_order(scans[:10]))
    assert written[:2] == ["answered", "asked"]  # a worker says when it is ready
    assert written[1::2] == ["asked"] * 10 and written[2::2] == ["answered"] * 10
    for number, one in enumerate(found):
        assert isinstance(one, DataError) if number % 7 == 3 else int(one.gray.min()) == number


@pytest.mark.parametrize("error", [OSError(22, "Invalid argument"), BrokenPipeError(), ConnectionResetError()])
def test_a_pipe_whose_other_end_is_closed_costs_one_file(
    scans: list[Path], monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    """Windows tells of it by errno 22."""
    real, left = decoder_process.send_frame, [error]

    def send(write, what):
        if left:
            raise left.pop()
        real(write, what)

    with DecoderPool(1) as own:
        own.read(scans[0])
        monkeypatch.setattr(decoder_process, "send_frame", send)
        with pytest.raises(DataError, match="01.png: its decoder crashed over it"):
            own.read(scans[1])
        assert own.read(scans[1]).gray.shape == NOISE.shape


@pytest.mark.posix
def test_a_file_that_never_comes_costs_one_file(pool: DecoderPool, scans: list[Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    found = list(pool.read_in_order([scans[0], tmp_path / "pipe.png", scans[1]]))
    assert [isinstance(one, DataError) for one in found] == [False, True, False]
    assert "pipe.png: reading it took over 1.5 s" in found[1].message


@pytest.mark.posix
@pytest.mark.parametrize("told", ["SIGSEGV", "SIGABRT", "SIGKILL", "SIGTERM"])
def test_a_crash_costs_one_file_and_the_worker_is_replaced(scans: list[Path], tmp_path: Path, told: str) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with DecoderPool(1) as own:
        own.read(scans[0])
        (worker,) = (child for child in children() if child.pid == own._idle[0]._process.pid)
        threading.Timer(0.3, os.kill, (worker.pid, signal.Signals[told])).start()
        with pytest.raises(DataError, match=rf"pipe\.png: its decoder crashed over it \({told}\)"):
            own.read(tmp_path / "pipe.png")
        assert own.read(scans[1]).gray.shape == NOISE.shape
        assert not psutil.pid_exists(worker.pid)


@pytest.mark.posix
def test_a_large_scan_may_take_its_time() -> None:
    limits = Limits(seconds=2.0)
    assert limits.allowed(200_000) == 2.0 and limits.allowed(40 << 20) == 20.0


def test_bombs_are_refused_from_their_headers(pool: DecoderPool, tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 50000, 50000, 8, 0, 0, 0, 0)
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", bytes(50)) + png_chunk(b"IEND", b""))
    # A million directories of one entry, each leading to the next.
    count, size = 10**6, 18
    directories = np.zeros((count, size), np.uint8)
    directories[:, 0] = 1
    directories[:, 2:14] = np.frombuffer(struct.pack("<HHII", 256, 4, 1, 64), np.uint8)
    following = (8 + size * np.arange(1, count + 1)).astype("<u4")
    following[-1] = 0
    directories[:, 14:] = following.view(np.uint8).reshape(count, 4)
    (tmp_path / "frames.tif").write_bytes(b"II*\0\x08\0\0\0" + directories.tobytes())
    # The refusals are the header's: whatever had been decoded first would have met a limit of the pool.
    with pytest.raises(DataError, match="50000x50000 pixels"):
        pool.read(bomb)
    with pytest.raises(DataError, match="4096 pages or more"):
        pool.read(tmp_path / "frames.tif")


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="only Linux tells what a process has mapped")
def test_workers_never_load_tensorflow(pool: DecoderPool, scans: list[Path]) -> None:
    list(pool.read_in_order(scans))
    workers = children()
    assert workers
    for worker in workers:
        mapped = Path(f"/proc/{worker.pid}/maps").read_text()
        assert "cv2" in mapped and "tensorflow" not in mapped and "onnxruntime" not in mapped


def test_memory_stays_flat(pool: DecoderPool, scans: list[Path]) -> None:
    list(pool.read_in_order(scans * 3))
    process = psutil.Process()
    before = process.memory_info().rss, sum(child.memory_info().rss for child in children())
    for _ in pool.read_in_order(scans * 20):
        pass
    after = process.memory_info().rss, sum(child.memory_info().rss for child in children())
    assert after[0] - before[0] < 32 << 20 and after[1] - before[1] < 32 << 20


def test_a_reader_left_in_the_middle_and_a_closed_pool_leave_nothing(scans: list[Path]) -> None:
    before = {child.pid for child in children()}
    own = DecoderPool(3)
    for found in own.read_in_order(scans):
        assert found.gray.shape == NOISE.shape
        break
    assert {child.pid for child in children()} - before
    own.close()
    assert {child.pid for child in children()} == before
    own.close()


def test_the_shared_pool_stays_warm_and_grows(scans: list[Path]) -> None:
    list(read_in_order(scans, workers=2))
    workers = {child.pid for child in children()}
    assert sum(isinstance(found, DataError) for found in read_in_order(scans, workers=2)) == 6
    assert shared_pool(2) is shared_pool(3) and shared_pool(2).workers >= 3
    assert workers & {child.pid for child in children()}


def test_reading_apart_is_for_as_long_as_it_is_said(scans: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with DecoderPool(1) as own:
        asked = []
        monkeypatch.setattr(decoder_pool, "shared_pool", lambda: asked.append(1) or own)
        with decoding_apart():
            np.testing.assert_array_equal(read_gray(scans[0]), NOISE)
            with pytest.raises(DataError, match="zero bytes"):
                read_gray(scans[3])
        assert len(asked) == 2
        with decoding_apart(False):
            read_gray(scans[0])
        read_gray(scans[0])
        assert len(asked) == 2


@pytest.mark.posix
def test_a_worker_that_ended_while_it_was_idle_is_nobodys_fault(scans: list[Path]) -> None:
    with DecoderPool(1) as own:
        own.read(scans[0])
        process = own._idle[0]._process
        process.kill()
        process.wait()
        assert own.read(scans[1]).gray.shape == NOISE.shape


def test_without_a_process_files_are_read_in_this_one(scans: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "STARTUP", "raise SystemExit(3)")
    with DecoderPool(1) as own, pytest.warns(UserWarning, match=r"No process for decoding starts \(it ended with 3\)"):
        assert own.read(scans[0]).gray.shape == NOISE.shape


def test_an_upload_is_not_decoded_in_this_process(scans: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "STARTUP", "raise SystemExit(3)")
    with DecoderPool(1) as own, pytest.raises(NoDecoderError, match="ended with 3"):
        own.decode(scans[0].read_bytes(), "upload", bounds=Bounds(1 << 30, 1, 1))


@pytest.mark.posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_workers_end_with_the_program(scans: list[Path], name: str) -> None:
    told = signal.Signals[name]
    program = (
        "import sys, itertools, pathlib, signal\n"
        "from pipeline.data.reading.gray_reader import read_in_order\n"
        # A shell that runs the tests in the background has told its children to ignore Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "paths = sorted(pathlib.Path(sys.argv[1]).glob('*.png'))\n"
        "for number, _ in enumerate(read_in_order(itertools.cycle(paths))):\n"
        "    if number == 20: print('reading', flush=True)\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program, str(scans[0].parent)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2], start_new_session=True,
    )  # fmt: skip
    try:
        assert running.stdout.readline() == b"reading\n"
        workers = psutil.Process(running.pid).children()
        assert len(workers) == 2
        os.killpg(running.pid, told) if told == signal.SIGINT else running.kill()
        _, said = running.communicate(timeout=HANG_GUARD_S)
        assert running.returncode == -told and (told == signal.SIGKILL or b"KeyboardInterrupt" in said)
        gone, alive = psutil.wait_procs(workers, timeout=HANG_GUARD_S)
        assert not alive
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)


def test_the_speed_of_reading_is_told(scans: list[Path]) -> None:
    told = reading_speed(scans[:10], workers=1, repeats=1)
    assert (told["scans"], told["unreadable"], told["workers"]) == (10, 1, 1)
    assert told["one_by_one_ms"] > 0 and told["pool_ms"] > 0 and told["pool_start_s"] > 0
    with pytest.raises(DataError, match="no scans"):
        reading_speed([])
