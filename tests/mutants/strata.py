"""The modules that guard data, in groups that are sampled alike."""

from pathlib import Path

__all__ = ["STRATA", "files_of"]

#: By name: globs below the project's root. Each must match a module, so that a renamed one is noticed.
STRATA: dict[str, tuple[str, ...]] = {
    # Bytes of a tar: a wrong header, offset or checksum gives a sample that is not the one that was written.
    "tar": ("atdata/_tar/_*.py",),
    # A header commits a shard and vouches for its files; what is misread there is believed everywhere.
    "header": (
        "atdata/_manifest/_format_1_0.py",
        "atdata/_manifest/_manifest_header.py",
        "atdata/_manifest/_manifest.py",
        "atdata/_manifest/_shard_names.py",
    ),
    # Whole files in the right order, or nothing: a mistake here loses or overwrites shards.
    "publishing": (
        "atdata/_manifest/_publish.py",
        "atdata/_storage/_*.py",
        "atdata/_write/_set_names.py",
        "atdata/_write/_open_shard.py",
        "atdata/_write/_set_writer.py",
    ),
    # A shard that is left out wrongly is a wrong answer without an error.
    "pruning": (
        "atdata/_manifest/_numeric.py",
        "atdata/_manifest/_value_counts.py",
        "atdata/_pruning/_*.py",
        "atdata/_query/_stored.py",
    ),
    # An index that is taken for today's gives yesterday's answers.
    "freshness": (
        "atdata/_index/_compact.py",
        "atdata/_index/_index.py",
        "atdata/_index/_plan.py",
        "atdata/_index/_shards_table.py",
    ),
}


def files_of(root: Path, globs: tuple[str, ...]) -> list[str]:
    """Return the modules that the globs match, relative to the root, sorted.

    Raises:
        FileNotFoundError: A glob matches no module.
    """
    files: set[str] = set()
    for glob in globs:
        matches = {path.relative_to(root).as_posix() for path in root.glob(glob) if path.name != "__init__.py"}
        if not matches:
            raise FileNotFoundError(
                f"no module matches {glob!r} in {root}; was one renamed? See tests/mutants/strata.py"
            )
        files |= matches
    return sorted(files)
