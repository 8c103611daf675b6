"""The release checklist: what its steps find."""

import re
import zipfile

from tests import release


def test_the_readme_s_examples_are_found_in_order():
    text = "# a\n```python\nx = 1\n```\n```bash\nls\n```\n```python\ny = x\n```\n"
    assert list(release.readme_blocks(text)) == ["x = 1\n", "y = x\n"]


def test_the_readme_has_examples():
    assert len(list(release.readme_blocks((release.ROOT / "README.md").read_text()))) > 1


def test_an_archive_without_the_type_marker_is_found(tmp_path):
    wheel = tmp_path / "atdata_polars-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("atdata/__init__.py", "")
        archive.writestr("atdata_polars-0.1.0.dist-info/licenses/LICENSE", "")
    assert release.archive_problems(wheel) == [f"{wheel.name} lacks atdata/py.typed"]
    assert release.version_of(wheel) == "0.1.0"


def test_the_changelog_begins_with_the_version_of_the_package():
    (version,) = re.findall(
        r'^__version__ = "(.*)"$', (release.ROOT / "atdata" / "__init__.py").read_text(), re.MULTILINE
    )
    assert release.changelog_problems(version) == []
    assert "9.9.9" in release.changelog_problems("9.9.9")[0]
