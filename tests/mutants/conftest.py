"""The programs here are not collected for examples: some of their imports are only there for `make mutants`."""

from pathlib import Path

collect_ignore = [path.name for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_")]
