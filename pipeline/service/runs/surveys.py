"""How the stages of the runs stand, as `status` says it; the hashes that it takes are remembered here, not in the run."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Unfinished
from dataclasses import dataclass
from threading import Lock, Thread
from time import monotonic

from pipeline.engine.contract import Stage
from pipeline.engine.errors import PipelineError
from pipeline.engine.extras import brought_by_extra
from pipeline.engine.hash_cache import HashCache
from pipeline.engine.record import recorded_config
from pipeline.engine.survey import StageSurvey, cache_file, survey_run
from pipeline.service.running import logs
from pipeline.service.runs.served_run import ServedRun

# Looked at again after so long, and after so many times what a look took: whoever loads a page again and again costs scans no time.
KEPT_S, KEPT_LOOKS = 2.0, 10
# A first look that reads a large data set anew takes longer than a page may wait.
WAIT_S = 5.0


@dataclass(frozen=True)
class Survey:
    """stages: each one's state by name. problem: why they cannot be told. is_finished: False while they are still compared."""

    stages: dict[str, StageSurvey]
    problem: str = ""
    is_finished: bool = True


def stages_at(place: str) -> Sequence[Stage]:
    """The steps that a run may have, found as "module:attribute": a worker is another process, and is told no object."""
    if not place:
        return ()
    module, _, attribute = place.partition(":")
    found: Sequence[Stage] = getattr(importlib.import_module(module), attribute)
    return found


class Surveys:
    """One look at a time, in a thread that does not keep the process from its end."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._lock, self._one_look = Lock(), Lock()
        self._last: dict[str, tuple[float, Future[Survey]]] = {}
        self._hashes: dict[str, HashCache] = {}
        self.summaries = {stage.name: stage.summary for stage in stages}

    def of(self, run: ServedRun, wait_s: float = WAIT_S) -> Survey:
        """How a run stands, looked at lately; unfinished where a look takes longer than `wait_s`."""
        with self._lock:
            kept_until, looking = self._last.get(run.name, (0.0, Future()))
            if not kept_until or (looking.done() and monotonic() > kept_until):
                looking = Future()
                self._last[run.name] = (monotonic(), looking)
                Thread(target=self._look, args=(run, looking), name="survey", daemon=True).start()
        try:
            return looking.result(wait_s)
        except Unfinished:
            return Survey({}, is_finished=False)

    def _look(self, run: ServedRun, looking: Future[Survey]) -> None:
        with self._one_look:
            begun = monotonic()
            found = self._survey(run)
        with self._lock:
            took = monotonic() - begun
            self._last[run.name] = (monotonic() + max(KEPT_S, KEPT_LOOKS * took), looking)
        looking.set_result(found)

    def _survey(self, run: ServedRun) -> Survey:
        try:
            if run.name not in self._hashes:
                self._hashes[run.name] = HashCache(cache_file(run.path), is_read_only=True)
            config = recorded_config(run.path, self._stages)
            with brought_by_extra():
                surveys = survey_run(config, self._stages, run.path, hashes=self._hashes[run.name])
            return Survey({survey.stage: survey for survey in surveys})
        except PipelineError as refusal:
            return Survey({}, str(refusal))
        except Exception as bug:  # what was read may have gone meanwhile; a page without states is better than none
            logs.tell_bug("run not compared", bug)
            return Survey({}, f"The stages cannot be compared ({type(bug).__name__}); the log says where.")
