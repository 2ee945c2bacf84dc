"""A limit on the time that somebody else's function may run.

Where the system has a timer (Linux, macOS) and in the main thread, a signal ends the function;
elsewhere (Windows, other threads) a second thread does. Python delivers either between two of its
own instructions: a single long call into C (a huge matrix product; with the second thread also a
sleep) ends when it returns, and not before.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, TypeVar

AGAIN = 0.1  # seconds until it rings again: a bare ``except:`` in a loop swallows one ring
PATIENCE = 3  # rings; from then on whoever swallows one gets another at the next line

T = TypeVar("T")
_of_thread = threading.local()  # .limits: those now in force, the innermost last


class TooLong(BaseException):
    """Time is up. Not an Exception, because the function may catch those."""


def call_within(seconds: float, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function, and end it if it does not come back in time.

    Limits may be nested: whichever ends first rings. A timer that was running before goes on.

    Parameters
    ----------
    seconds : float
        How long it may run.
    function : callable
        What to call; ``except:`` in a loop does not save it.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    TooLong
        If time was up.
    """
    limits: list[_Limit] = _of_thread.__dict__.setdefault("limits", [])
    main = threading.current_thread() is threading.main_thread()
    kind = _Timer if main and hasattr(signal, "setitimer") else _Thread
    limit = kind(seconds, limits, sys._getframe())
    limits.append(limit)
    try:
        limit.start()
        limit.running = True
        return function(*args, **kwargs)
    finally:
        limit.running = False  # the first thing: from here on nothing rings
        try:
            limit.stop()
        except TooLong:  # it was on its way
            limit.stop()
        limits.remove(limit)


def _is_ours(frame: FrameType | None) -> bool:
    """Return whether a function of this file is at work: it must not be interrupted."""
    code = frame.f_code if frame is not None else call_within.__code__
    return code.co_filename == __file__ and code is not call_within.__code__


class _Limit:
    """What both ways have in common: when to ring, and what is raised."""

    def __init__(self, seconds: float, limits: list[_Limit], frame: FrameType) -> None:
        self.end, self.limits, self.frame = time.monotonic() + seconds, limits, frame
        self.running, self.rings, self.tracer = False, 0, sys.gettrace()
        limit = self

        class Ring(TooLong):  # its methods run in the thread that is to stop
            frames: Sequence[FrameType] = ()

            def __init__(self) -> None:
                super().__init__(f"it did not come back within {seconds:g} s")
                limit.rings += 1
                self.frames = limit.frames_inside(sys._getframe(1))
                limit.insist(self.frames)

            def __del__(self) -> None:  # it has been swallowed
                limit.insist(self.frames)

        self.ring = Ring

    def may_ring(self) -> bool:
        """Return whether time is up, and the function runs: no limit in it starts or stops."""
        return self.end <= time.monotonic() and self in self.limits and self.limits[-1].running

    def frames_inside(self, frame: FrameType | None) -> list[FrameType]:
        """Return the functions that the limited one has called."""
        frames = []
        while frame is not None and frame is not self.frame:
            frames.append(frame)
            frame = frame.f_back
        return frames

    def insist(self, frames: Sequence[FrameType]) -> None:
        """Raise once more at the next line, whichever function it is in.

        In a loop of ``try: work() except: pass`` nearly every ring falls into the ``try``. The line
        after the swallowed one is outside.
        """
        mine = _of_thread.__dict__.get("limits") is self.limits
        if self.rings <= PATIENCE or not mine or not self.may_ring():
            return

        def again(frame: FrameType, event: str, _: Any) -> Any:
            if _is_ours(frame) or not self.may_ring():
                return None
            if event == "line":
                raise self.ring
            return again

        for frame in frames:
            frame.f_trace = again
        sys.settrace(again)

    def start(self) -> None:
        """Set the clock."""
        raise NotImplementedError

    def stop(self) -> None:
        """Take the clock away, however often this is called."""
        if self.rings > PATIENCE:
            sys.settrace(self.tracer)


class _Timer(_Limit):
    """A limit by the system's timer, for the main thread."""

    def start(self) -> None:
        self.before: Any = signal.getsignal(signal.SIGALRM) or signal.SIG_DFL
        self.begun, (self.left, self.every) = time.monotonic(), signal.getitimer(signal.ITIMER_REAL)
        seconds = max(self.end - self.begun, 1e-6)
        signal.signal(signal.SIGALRM, self.alarm)
        first = min(seconds, self.left) if self.left else seconds
        signal.setitimer(signal.ITIMER_REAL, first, AGAIN)

    def alarm(self, _: int, frame: FrameType | None) -> None:
        """Raise for the outermost limit that is over, in this and all around it."""
        for limit in self.limits:
            if limit.may_ring() and not _is_ours(frame):
                raise limit.ring

    def stop(self) -> None:
        super().stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)
        if self.left:
            left = max(self.left - (time.monotonic() - self.begun), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, left, self.every)


class _Thread(_Limit):
    """A limit by a second thread, which raises in the first."""

    def start(self) -> None:
        self.who, self.done = ctypes.c_ulong(threading.get_ident()), threading.Event()
        self.watch = threading.Thread(target=self.wait, daemon=True)
        self.watch.start()

    def wait(self) -> None:
        """Ring again and again, from the second thread."""
        seconds = self.end - time.monotonic()
        while not self.done.wait(max(seconds, 0)):
            if self.may_ring():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self.who, ctypes.py_object(self.ring))
            seconds = AGAIN

    def stop(self) -> None:
        super().stop()
        self.done.set()
        self.watch.join()  # a ring on its way arrives here, at the latest
