"""A function comes back within its limit, however it clings to its loop; nothing rings later."""

import signal
import sys
import threading
import time

import pytest

from mnist_course import time_limit
from mnist_course.time_limit import TooLong, call_within

FAR = 30.0  # seconds until a function that nobody ends gives up: then the test fails


def in_main_thread(function):
    return function()


def in_second_thread(function):
    done = []

    def run():
        try:
            done.append((True, function()))
        except BaseException as error:
            done.append((False, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    well, value = done[0]
    if not well:
        raise value
    return value


@pytest.fixture(params=["timer", "no timer", "second thread"])
def place(request, monkeypatch):
    """Where the function runs; the timer is there in the first case only."""
    if request.param == "timer" and not hasattr(signal, "setitimer"):
        pytest.skip("this system has no timer")
    if request.param == "no timer":
        monkeypatch.delattr(signal, "setitimer", raising=False)
    return in_second_thread if request.param == "second thread" else in_main_thread


def in_time():
    """Return a function that says whether there is time left until FAR."""
    end = time.monotonic() + FAR
    return lambda: time.monotonic() < end


def endless():
    go_on = in_time()
    while go_on():
        pass


def swallows():
    go_on = in_time()
    while go_on():
        try:  # noqa: SIM105
            sum(range(200))
        except:  # noqa: E722 - a beginner's habit
            pass


def works_in_try():
    """Nearly every moment falls into the ``try``."""
    go_on = in_time()
    while True:
        try:
            sum(range(200_000))
            if not go_on():
                return
        except:  # noqa: E722
            pass


def swallows_further_in():
    def helper():
        works_in_try()

    helper()


def swallows_all_around():
    def work():
        try:
            return sum(range(50_000))
        except:  # noqa: E722
            return 0

    go_on = in_time()
    while True:
        try:
            work()
            if not go_on():
                return
        except BaseException:
            continue


def cleans_up_for_ever():
    try:
        endless()
    finally:
        endless()


@pytest.mark.parametrize(
    "function",
    [endless, swallows, works_in_try, swallows_further_in, swallows_all_around, cleans_up_for_ever],
)
def test_whatever_does_not_come_back_is_ended(place, function):
    tracer = sys.gettrace()
    with pytest.raises(TooLong):
        place(lambda: call_within(0.2, function))
    assert sys.gettrace() is tracer


def test_what_comes_back_in_time_is_handed_on(place):
    def divide(a, b):
        return a / b

    assert place(lambda: call_within(FAR, divide, 6, b=3)) == 2
    with pytest.raises(ZeroDivisionError):
        place(lambda: call_within(FAR, divide, 6, 0))
    with pytest.raises(SystemExit):
        place(lambda: call_within(FAR, sys.exit))


def test_nothing_rings_afterwards(place):
    def well_and_ill():
        call_within(0.2, int)
        for _ in range(3):
            with pytest.raises(TooLong):
                call_within(0.05, works_in_try)
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            pass
        return "quiet"

    assert place(well_and_ill) == "quiet"


def test_of_two_limits_the_inner_may_end_first(place):
    def outer():
        with pytest.raises(TooLong):
            call_within(0.1, endless)
        return "went on"

    assert place(lambda: call_within(FAR, outer)) == "went on"


def test_of_two_limits_the_outer_may_end_first(place):
    def outer():
        call_within(FAR, endless)

    with pytest.raises(TooLong, match=r"0\.2 s"):
        place(lambda: call_within(0.2, outer))


def test_the_outer_limit_rings_again_where_the_inner_was_swallowed(place):
    def outer():
        go_on = in_time()
        while go_on():
            try:  # noqa: SIM105
                call_within(0.05, works_in_try)
            except:  # noqa: E722
                pass

    with pytest.raises(TooLong):
        place(lambda: call_within(0.5, outer))


def test_nothing_rings_while_a_limit_is_taken_away(place, monkeypatch):
    for kind in (time_limit._Timer, time_limit._Thread):

        def slow(self, stop=kind.stop):
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                pass
            stop(self)

        monkeypatch.setattr(kind, "stop", slow)

    def outer():
        call_within(FAR, int)
        endless()

    def both():
        with pytest.raises(TooLong):
            call_within(0.2, outer)
        return list(time_limit._of_thread.limits)

    assert place(both) == []


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer")
def test_the_timer_of_another_is_put_back():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TooLong):
            call_within(0.4, endless)
        end = time.monotonic() + FAR
        while not rang and time.monotonic() < end:
            pass
        assert rang == [True]
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_wait_is_ended_where_there_is_a_timer():
    if not hasattr(signal, "setitimer"):
        pytest.skip("this system has no timer")
    with pytest.raises(TooLong):
        call_within(0.2, time.sleep, FAR)
