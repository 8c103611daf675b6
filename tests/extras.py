"""Packages that only some tests need: those tests are skipped where a package is not installed."""

import importlib.util

import pytest

__all__ = ["installed", "needs"]


def installed(package: str) -> bool:
    """Return whether a package can be imported, without importing it: some take seconds."""
    return importlib.util.find_spec(package) is not None


def needs(package: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test where a package is not installed."""
    return pytest.mark.skipif(not installed(package), reason=f"needs {package}")
