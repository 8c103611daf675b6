"""The `atdata` command."""

from ._app import main
from ._digits import Digit

__all__ = ["Digit", "main"]
