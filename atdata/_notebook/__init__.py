"""What notebooks show: facts as HTML, and arrays as small pictures."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._html import Facts, Picture, html_of
    from ._pictures import picture_of
    from ._safely import shown
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Facts": "atdata._notebook._html",
            "Picture": "atdata._notebook._html",
            "html_of": "atdata._notebook._html",
            "picture_of": "atdata._notebook._pictures",
            "shown": "atdata._notebook._safely",
        },
    )

__all__ = ["Facts", "Picture", "html_of", "picture_of", "shown"]
