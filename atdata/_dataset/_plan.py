"""Stub."""

from ._picks import Picks

__all__ = ["cost_of"]


def cost_of(picks: Picks) -> tuple[int, int]:
    """Return requests and bytes."""
    return len(picks), int(picks.sizes.sum())
