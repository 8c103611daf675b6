"""Going on after an error, whatever it is: for work on many things, and for showing a thing that is broken."""

from types import TracebackType

__all__ = ["Caught"]


class Caught:
    """Keeps the error that ends its block, whatever it is; an interrupt is no such error and goes on.

    Attributes:
        error: What ended the block; None where nothing did.

    Examples:
        >>> block = Caught()
        >>> with block:
        ...     int("x")
        >>> type(block.error).__name__
        'ValueError'
    """

    error: Exception | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None
