"""Polars: its unstable API in one place, and its threads in forked processes."""

from ._fork import enter_polars
from ._plans import WIDENED, calls_python, draws_lots, passes_through, pushed_predicate

__all__ = ["WIDENED", "calls_python", "draws_lots", "enter_polars", "passes_through", "pushed_predicate"]
