"""What the library costs beside plain Polars, and what expressions save beside functions of a pandas frame.

``python -m benchmarks`` measures and prints; ``--write-docs`` also writes docs/benchmarks.md anew;
``--small`` is a smoke test of some seconds, whose figures say nothing.
"""
