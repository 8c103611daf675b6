"""Make ``future/``: headers of ``1.1.0/set-000000`` as later versions of this library may write them.

Numbers are spelled as this version would not spell them (``1.50``, ``9E-1``), so that carrying them on is seen::

    python tests/golden/make_future.py
"""

import hashlib
import re
import shutil
from pathlib import Path

HERE = Path(__file__).parent
SHARD = "set-000000"
QUANTILES = """{
      "type": "quantiles",
      "levels": [0.50, 9E-1],
      "min": 1E300,
      "max": 2E300,
      "count": 8,
      "null_count": 0,
      "value_counts": {"x": 8}
    }"""
#: By sort: pattern in the header of today, and what takes its place; ``\\g<0>`` is what was there.
CHANGES: dict[str, list[tuple[str, str]]] = {
    "unknown-members": [
        (r'"manifest_version": "1.1.0"', '"manifest_version": "1.7.0"'),
        (r'"aggregates": \{', '"colour": {"depth": 1.50, "shades": [9E-1, 18446744073709551617]},\n  \\g<0>'),
        (r'"aggregates": \{', '"provenance": {"weight": 2.50, "source_job_id": "job-7"},\n  \\g<0>'),
        (r'"file": "set-000000.tar"', '\\g<0>,\n    "blocks": [1.0E1]'),
        (r'"file": "set-000000.manifest.parquet"', '\\g<0>,\n    "pages": 3.0E0'),
    ],
    "unknown-kinds": [
        # What it says would rule the shard out, if it were taken for a numeric one.
        (r'"real": \{[^}]*\}', f'"real": {QUANTILES}'),
        (r'"aggregates": \{', '\\g<0>\n    "whole and real": {"type": "correlation", "is": -0.50},'),
    ],
    "unknown-aggregate-members": [
        (r'"type": "categorical"', '"type": "categorical",\n      "entropy": 1.50'),
        (r'"type": "numeric"', '"type": "numeric",\n      "deviation": {"of": 2.50}'),
        (r'"type": "set"', '"type": "set",\n      "longest": 3.0E0'),
    ],
    "version-2": [(r'"manifest_version": "1.1.0"', '"manifest_version": "2.3.0",\n  "required_features": []')],
    "required-feature": [
        (
            r'"manifest_version": "1.1.0"',
            '"manifest_version": "2.0.0",\n  "required_features": ["one-member-per-field"]',
        ),
        (r'"num_samples": 8', '"num_samples": {"of the feature": true}'),
    ],
    "version-3": [(r'"manifest_version": "1.1.0"', '"manifest_version": "3.0.0"')],
}


def header(sort: str) -> bytes:
    """Return a header of a sort, with its digest."""
    text = (HERE / "1.1.0" / f"{SHARD}.manifest.json").read_text()
    body = text[: text.rindex(",")]
    for pattern, put in CHANGES[sort]:
        body, count = re.subn(pattern, put, body)
        if not count:
            raise ValueError(f"{pattern} is not in the header")
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f'{body},\n  "digest": "{digest}"\n}}\n'.encode()


if __name__ == "__main__":
    future = HERE / "future"
    shutil.rmtree(future, ignore_errors=True)
    future.mkdir()
    for name in CHANGES:
        (future / f"{name}.manifest.json").write_bytes(header(name))
