"""Compare two versions of the library under noise: ``python -m benchmarks compare BEFORE [AFTER]``.

Each version is copied into a folder of its own and runs in its own processes, in the same environment, so that only
the library differs. Both do the same jobs in turn. The result of a job is the median of the paired ratios of CPU
seconds, after over before, with a bootstrap interval; counts, such as bytes and opens, are compared exactly.
The exit status is 1 if a limit is broken, 2 if a job cannot be compared, and else 0.
"""

from ._command import main

__all__ = ["main"]
