"""Progress bars for what takes long."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

SHOW_AFTER_S = 2.0


class _Rate(ProgressColumn):
    """How much is done a second, of the last half minute."""

    def render(self, task: Task) -> Text:
        """Empty until it is known."""
        return Text(f"{task.speed:.3g}/s" if task.speed and task.total else "")


class Bars:
    """A `microwright.progress.Progress` that draws on standard error.

    A stage is shown once it has run for SHOW_AFTER_S, as a bar in a terminal and as a line elsewhere. The
    stage may block between two calls: a timer shows it. `quiet` shows nothing.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._quiet = quiet
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._what: str | None = None
        self._done = self._total = 0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Bars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._end()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._quiet:
            return
        with self._lock:
            if what != self._what:
                self._end()
                if done < total:
                    self._begin(what)
            if self._what is None:
                return
            self._done, self._total = done, total
            if done >= total:
                self._update()
                self._end()
            else:
                self._update()

    def _begin(self, what: str) -> None:
        self._what = what
        self._timer = threading.Timer(SHOW_AFTER_S, self._show, (what,))
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._bar is not None:
            self._bar.stop()
        self._timer = self._what = self._bar = None

    def _show(self, what: str) -> None:
        with self._lock:
            if self._what != what:
                return
            if not self._console.is_terminal:
                self._console.print(f"{what} ...")
                return
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task(what, total=None)
            self._update()
            self._bar.start()

    def _update(self) -> None:
        if self._bar is not None:
            # A stage of one step says nothing about how far it is: the bar pulses.
            total = self._total if self._total > 1 else None
            self._bar.update(self._task, completed=self._done, total=total)
