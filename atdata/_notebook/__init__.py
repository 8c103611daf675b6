"""What notebooks show: facts as HTML, and arrays as small pictures."""

from ._html import Facts, Picture, html_of
from ._pictures import picture_of
from ._safely import shown

__all__ = ["Facts", "Picture", "html_of", "picture_of", "shown"]
