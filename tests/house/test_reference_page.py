"""The reference names everything that is public."""

import re
from pathlib import Path

import atdata
import atdata.manifest

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
NAMED = {name.rpartition(".")[2] for name in re.findall(r"\.\. auto\w+:: (\S+)", PAGE)}
ERRORS = set(re.findall(r"\w+", PAGE.partition("automodule:: atdata._errors")[2]))


def test_the_reference_names_every_public_thing() -> None:
    assert {*atdata.__all__, *atdata.manifest.__all__} - NAMED - ERRORS == set()


def test_the_reference_names_nothing_else() -> None:
    public = {*atdata.__all__, *atdata.manifest.__all__, "atdata", "_errors"}
    assert public >= NAMED
