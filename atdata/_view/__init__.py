"""Display in notebooks and pages: facts as plain values, then as HTML or JSON; arrays as small pictures."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._facts import facts_of, json_of, picture_of
    from ._html import html_of
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "facts_of": "atdata._view._facts",
            "html_of": "atdata._view._html",
            "json_of": "atdata._view._facts",
            "picture_of": "atdata._view._facts",
        },
    )

__all__ = ["facts_of", "html_of", "json_of", "picture_of"]
