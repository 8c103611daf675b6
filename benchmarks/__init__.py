"""What the library costs beside its peers, beside the original, and beside the limits of the machine.

``python -m benchmarks`` builds two environments below ``.bench/env``, measures and prints; ``--write-docs`` also
writes docs/benchmarks.md anew. ``--small`` is a smoke test of some seconds in the environment it is started from: it
builds nothing, measures whoever is installed, and its figures say nothing.
"""
