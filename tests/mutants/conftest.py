"""The programs here are not tests, and some of their imports are only there for `make mutants`."""

collect_ignore_glob = ["*.py"]
