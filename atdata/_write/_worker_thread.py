"""Work behind the producer's back: one thread that does what it is given, in order."""

import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["Lane"]

#: How many tasks may wait; each holds about a megabyte of a tar.
_DEPTH = 4


class Lane:
    """Does one task after the other on a thread of its own.

    After a task that fails, none is done any more: each fails with the same error.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="atdata-write")
        self._waiting: deque[Future[None]] = deque()
        self._failure: BaseException | None = None

    def put(self, task: Callable[..., None], *arguments: Any) -> Future[None]:
        """Do a task after those before it; wait while too many are waiting.

        Raises:
            BaseException: What a task before it failed with.
        """
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= _DEPTH):
            self._waiting[0].result()  # it stays where an interrupt ends the wait, because it runs on
            self._waiting.popleft()
        future = self._thread.submit(self._run, task, *arguments)
        self._waiting.append(future)
        return future

    def do(self, task: Callable[[], None]) -> None:
        """Do a task after those before it, whatever became of them, and return once it is done.

        No signal interrupts the task itself.

        Raises:
            BaseException: What the task failed with.
        """
        self._thread.submit(task).result()

    def clear(self) -> None:
        """Drop the tasks that wait, and return once none is running."""
        while self._waiting:
            self._waiting.pop().cancel()
        self.do(_nothing)  # behind whatever runs, also what an interrupt kept off the list

    def close(self) -> None:
        """End the thread, once what it was given is done."""
        self._thread.shutdown()

    def _run(self, task: Callable[..., None], *arguments: Any) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            task(*arguments)
        finally:
            self._failure = sys.exception()


def _nothing() -> None:
    """Come after what was running."""
