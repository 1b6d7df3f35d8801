"""Several workers below a parent, which replaces those that end or hang."""

from __future__ import annotations

import os
from time import monotonic

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from pipeline.service.running import logs, metrics
from pipeline.service.running.worker import JOINS

# A worker that does not say for so long that it lives is ended; on a busy machine a new one needs seconds until it can.
HANGS_S = 30.0


class Worker(Process):
    """uvicorn's process, looked at without a wait: one that ends or hangs does not keep the parent from the others."""

    _asked: float | None = None

    def is_alive(self, timeout: float = HANGS_S) -> bool:
        """Whether it runs, and has said so within `timeout` seconds of being asked."""
        if not self.process.is_alive():
            return False
        try:
            if self._asked is not None and self.parent_conn.poll():
                self.parent_conn.recv()
                self._asked = None
            if self._asked is None:
                self.parent_conn.send(b"ping")
                self._asked = monotonic()
        except (OSError, EOFError):
            return False
        return monotonic() - self._asked < timeout


class Workers(Multiprocess):
    """uvicorn's parent. A worker that takes the place of another joins when it is ready; the counts of what one had in progress
    when it ended are forgotten."""

    def init_processes(self) -> None:
        self.processes += [self._started() for _ in range(self.processes_num)]
        os.environ[JOINS] = "1"

    def keep_subprocess_alive(self) -> None:
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if worker.is_alive():
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                self.should_exit.set()  # every other would fail in the same way
                return
            logs.tell("worker replaced", ended=worker.pid, exit_code=worker.exitcode)
            if worker.pid is not None:
                metrics.worker_ended(worker.pid)
            self.processes[place] = self._started()

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker
