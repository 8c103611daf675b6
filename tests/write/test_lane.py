"""The lane: in order, bounded, and silent after a failure."""

import signal
import threading

import pytest

from atdata._write._open_shard import Lane


def test_tasks_are_done_in_order_on_one_other_thread() -> None:
    lane, done = Lane(), []
    for number in range(50):
        lane.put(lambda number=number: done.append((number, threading.get_ident())))
    lane.close()
    assert [number for number, _ in done] == list(range(50))
    (thread,) = {thread for _, thread in done}
    assert thread != threading.get_ident()


def test_who_gives_too_much_waits() -> None:
    lane, gate, given = Lane(), threading.Event(), []

    def give() -> None:
        for number in range(20):
            lane.put(gate.wait)
            given.append(number)

    giver = threading.Thread(target=give)
    giver.start()
    giver.join(0.2)
    assert 0 < len(given) < 10
    gate.set()
    giver.join(10)
    lane.close()
    assert len(given) == 20


def test_after_a_failure_nothing_is_done_and_everyone_hears_of_it() -> None:
    lane, gate, done = Lane(), threading.Event(), []

    def fail() -> None:
        gate.wait()
        raise OSError("disk gone")

    failing = lane.put(fail)
    after = lane.put(done.append, 1)
    gate.set()
    assert isinstance(failing.exception(10), OSError)
    assert after.exception(10) is failing.exception()
    with pytest.raises(OSError, match="disk gone"):
        lane.put(done.append, 2)
    lane.close()
    assert done == []


def test_clear_drops_what_waits_and_ends_after_what_runs() -> None:
    lane, gate, running, done = Lane(), threading.Event(), threading.Event(), []

    def run() -> None:
        running.set()
        gate.wait()
        done.append("ran")

    lane.put(run)
    lane.put(done.append, "dropped")
    running.wait(10)
    threading.Timer(0.05, gate.set).start()
    lane.clear()
    assert done == ["ran"]
    lane.close()
    assert done == ["ran"]


def interrupt_soon(seconds: float) -> None:
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def test_an_interrupted_wait_leaves_the_running_task_to_be_waited_for() -> None:
    lane, gate, done = Lane(), threading.Event(), []

    def run() -> None:
        gate.wait(10)
        done.append("ran")

    def give() -> None:
        while True:
            lane.put(done.append, "dropped")

    lane.put(run)
    interrupt_soon(0.05)
    with pytest.raises(KeyboardInterrupt):
        give()
    threading.Timer(0.05, gate.set).start()
    lane.clear()
    assert done == ["ran"]
    lane.close()
    assert done == ["ran"]
