"""What is counted and timed, for Prometheus; of several workers together, through files of counts in a folder."""

from __future__ import annotations

import os
import tempfile

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
REQUESTS = Counter("respiratory_requests_total", "Requests, by route and status.", ("route", "status"))
SECONDS = Histogram("respiratory_request_seconds", "From a request's head to its answer's end.", ("route",), buckets=_SECONDS)
MODEL_SECONDS = Histogram("respiratory_model_seconds", "From the decoded scan to the answer.", ("bundle",), buckets=_SECONDS)
ANSWERS = Counter("respiratory_answers_total", "Scans, by bundle and what became of them.", ("bundle", "outcome"))
TAKEN = Gauge("respiratory_taken", "Requests that are being answered or wait for it.", multiprocess_mode="livesum")
BYTES = Counter("respiratory_received_bytes_total", "Bytes of bodies.")


def share_counts() -> tempfile.TemporaryDirectory[str]:
    """Before workers are started: the folder through which their counts are added up, removed with what is returned."""
    folder = tempfile.TemporaryDirectory(prefix="respiratory-counts-")
    os.environ[FOLDER] = folder.name
    return folder


def worker_ended(process: int) -> None:
    """What a worker has in progress no longer counts."""
    multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]


def exposition() -> tuple[bytes, str]:
    """All figures as text, and its media type."""
    if FOLDER not in os.environ:
        return generate_latest(), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
