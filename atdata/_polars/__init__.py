"""Polars: its unstable API in one place, and its threads in forked processes."""

from ._fork import enter_polars
from ._plans import calls_python, draws_lots, passes_through, pushed_predicate, scan_widened

__all__ = ["calls_python", "draws_lots", "enter_polars", "passes_through", "pushed_predicate", "scan_widened"]
