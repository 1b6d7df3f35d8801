"""What a service is started with: where it listens, what it serves, and what one request may take."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.engine.errors import UsageError
from pipeline.engine.settings import Settings

# A worker is another process, and is told its settings here: they hold no key, only where the hashes of the keys lie.
ENVIRONMENT = "RESPIRATORY_SERVICE"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MEGABYTE = 1 << 20


class Limits(Settings):
    """What one request may hold and take. Each is kept before what it limits is done."""

    request_mb: float = Field(default=64, gt=0)
    """Bytes of a whole request, by what it announces and by what it sends; MiB."""
    file_mb: float = Field(default=32, gt=0)
    """Bytes of one file; MiB."""
    memory_mb: float = Field(default=512, gt=0)
    """Bytes of all requests that a worker holds at once; MiB."""
    files: int = Field(default=64, ge=1)
    """Files of one request."""
    pixels: int = Field(default=40_000_000, ge=256)
    """Pixels of one picture, by its header, before it is decoded."""
    frames: int = Field(default=1024, ge=1)
    """Frames of one DICOM object, by its header."""
    inflated_mb: float = Field(default=256, gt=0)
    """What a deflated DICOM object may unpack to; MiB."""
    note_characters: int = Field(default=20_000, ge=1)
    """Characters of a note."""
    upload_s: float = Field(default=30, gt=0)
    """Seconds within which a request has to be sent whole."""
    deadline_s: float = Field(default=30, gt=0)
    """Seconds within which it has to be answered; it is refused (503) then."""
    decode_s: float = Field(default=2, gt=0)
    """Seconds of processor time for decoding a file, for each 4 MiB of it begun."""

    @model_validator(mode="after")
    def _a_request_fits(self) -> Self:
        if self.request_mb > self.memory_mb:
            told = "{request:g} MiB a request are more than the {memory:g} MiB that a worker holds"
            raise PydanticCustomError("no_room", told, {"request": self.request_mb, "memory": self.memory_mb})
        return self


class ServiceSettings(Settings):
    """A service."""

    bundles: tuple[Path, ...] = ()
    """The folders of the bundles; those that come with the program where none is named."""
    runs: tuple[Path, ...] = ()
    """The folders of the runs that can be browsed."""
    stages: str = ""
    """Where the steps that a run may have are found, as "module:attribute"; needed where runs are named."""
    host: str = "127.0.0.1"
    """The address that is listened on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port; 0 takes a free one."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes, each with all models."""
    threads: int = Field(default=0, ge=0)
    """Threads that a worker computes a graph with; 0: the cores shared out among the workers."""
    answering: int = Field(default=2, ge=1)
    """Requests that a worker answers at once."""
    waiting: int = Field(default=1, ge=0)
    """Requests that wait for that in a worker; one more is refused at once (503)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What computes."""
    keys: Path | None = None
    """The file of the API keys' hashes; without one nobody is asked for a key."""
    without_keys: bool = False
    """Allow a public address without keys."""
    hosts: tuple[str, ...] = ()
    """Names that the service is called by, beside loopback ones and bare addresses."""
    origins: tuple[str, ...] = ()
    """Origins whose pages may call it (CORS)."""
    rate: float = Field(default=0, ge=0)
    """Requests a minute and worker that one key, or one address without one, may make; 0: any number."""
    grace_s: float = Field(default=30, gt=0)
    """Seconds that what was taken has for its end when the service stops."""
    limits: Limits = Limits()
    """What one request may take."""

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can reach it."""
        if self.host.lower() in LOOPBACK:
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    @property
    def graph_threads(self) -> int:
        """Threads a graph is computed with; 0 leaves them to onnxruntime."""
        return self.threads or (max(1, (os.cpu_count() or 1) // self.workers) if self.workers > 1 else 0)

    @property
    def graphs_at_once(self) -> int:
        """Graphs that a worker computes at the same time: as many as its share of the cores has threads for."""
        return max(1, (os.cpu_count() or 1) // self.workers // self.graph_threads) if self.graph_threads else 1

    def require_safe(self) -> None:
        """Raise UsageError for a public address without keys, unless it is told that this is meant; of runs it never is."""
        if self.is_public and self.keys is None and not self.without_keys:
            raise UsageError(
                f"{self.host} is reached by others, and no API keys are set.",
                "Give --keys FILE (serve --keys FILE --new-key NAME makes one), or say --without-keys.",
            )
        if self.runs and self.keys is None and (self.is_public or self.hosts):
            raise UsageError(
                "A run shows scans and may name patients: it is not shown to others without a key.",
                "Give --keys FILE, or leave --run to a service that only this machine reaches.",
            )

    def to_environment(self) -> None:
        """Leave them for the workers, which are started from this process."""
        os.environ[ENVIRONMENT] = self.model_dump_json()

    @classmethod
    def from_environment(cls) -> ServiceSettings:
        """What `to_environment` left."""
        return cls.model_validate_json(os.environ[ENVIRONMENT])
