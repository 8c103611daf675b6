"""Examples in README and docs run as tests, each page in an empty folder of its own."""

import doctest
import os
import tempfile
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from tests.extras import installed

#: What needs a package that is not everywhere.
collect_ignore_glob = [] if installed("torch") else ["atdata/_torch/*"]


def _enter_an_empty_folder(namespace: dict[str, Any]) -> None:
    namespace["_back"] = os.getcwd()  # noqa: PTH109 -- text in, text out
    namespace["_folder"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)
    namespace["missing"] = lambda package: not installed(package)  # for the pages' skips


def _leave_it(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_back"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=_enter_an_empty_folder,
    teardown=_leave_it,
).pytest()
