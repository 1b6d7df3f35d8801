"""Progress of long work: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0


class Reporter:
    """Where a run tells what it does: standard error, so that results on standard output stay clean."""

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        self.quiet = quiet
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._bars: Progress | None = None
        self._depth = 0

    def line(self, text: str) -> None:
        """Write one line (above the bars, where there are any)."""
        if not self.quiet:
            self._console.print(text, markup=False)

    def track(self, iterable: Iterable[T], total: int | None = None, label: str = "") -> Iterator[T]:
        """Yield from `iterable` and show how far it is; `total` defaults to its length."""
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        if self.quiet:
            yield from iterable
        elif self._console.is_terminal:
            yield from self._bar(iterable, total, label)
        else:
            yield from self._lines(iterable, total, label)

    def _bar(self, iterable: Iterable[T], total: int | None, label: str) -> Iterator[T]:
        bars = self._open_bars()
        task = bars.add_task(label, total=total)
        try:
            for item in iterable:
                yield item
                bars.advance(task)
        finally:
            bars.remove_task(task)
            self._close_bars()

    def _open_bars(self) -> Progress:
        # One live display holds all bars: a terminal has room for one, and loops may be nested.
        if self._bars is None:
            from rich.progress import Progress

            self._bars = Progress(console=self._console, transient=True)
            self._bars.start()
        self._depth += 1
        return self._bars

    def _close_bars(self) -> None:
        self._depth -= 1
        if self._depth == 0 and self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _lines(self, iterable: Iterable[T], total: int | None, label: str) -> Iterator[T]:
        begun = last = time.monotonic()
        for count, item in enumerate(iterable, start=1):
            yield item
            now = time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES:
                last = now
                self.line(_progress_line(label, count, total, now - begun))


def _progress_line(label: str, count: int, total: int | None, seconds: float) -> str:
    if not total:
        return f"  {label}: {count} in {seconds:.0f} s"
    if count >= total:
        return f"  {label}: {count} of {total} in {seconds:.0f} s"
    left = seconds / count * (total - count)
    return f"  {label}: {count} of {total} ({100 * count / total:.0f} %), about {left:.0f} s left"
