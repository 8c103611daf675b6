"""Jobs by name: tasks of long-lived processes, and programs that fresh processes run."""

import dataclasses

__all__ = ["JOBS", "PARALLEL", "REFERENCE", "Job"]


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One piece of work that both versions do."""

    name: str
    words: str
    #: Module and function in workers/ that prepare it; for a program, what makes its data.
    task: str = ""
    #: Source that a fresh process runs from start to end, with the folder of the data as its argument.
    program: str = ""
    samples: int = 0
    shards: int = 1
    #: Samples that are picked; for the parallel job, processes.
    picks: int = 0

    def small(self) -> "Job":
        """Return the same job on a few samples."""
        fewer = {"samples": min(self.samples, 30), "shards": min(self.shards, 3), "picks": min(self.picks, 10)}
        return dataclasses.replace(self, **fewer)


#: Fresh processes that import are also compared with this one.
REFERENCE = "import-polars"
#: Compared by wall time over the ideal, not by CPU seconds.
PARALLEL = "parallel"

_PHOTOS = {"samples": 2000, "shards": 4}
_ROWS = {"samples": 50_000, "shards": 20}
_FEW_ROWS = {"samples": 5000, "shards": 10}
_FIRST_QUERY = """\
import sys
import atdata
import polars as pl
len(atdata.Dataset(sys.argv[1]).where(pl.col("confidence") > 0.995))
"""

JOBS = {
    job.name: job
    for job in (
        Job(REFERENCE, "import polars and numpy, the reference for imports", program="import polars, numpy"),
        Job("import", "import atdata", program="import atdata"),
        Job("import-packable", "import `packable`", program="from atdata import packable"),
        Job("import-dataset", "import `Dataset`", program="from atdata import Dataset"),
        Job("first-query", "import, open 3 shards, query", "jobs:rows", _FIRST_QUERY, samples=3000, shards=3),
        Job("open", "open 1,000 small shards and count", "jobs:open_many", samples=5000, shards=1000),
        Job("query", "count a selective predicate's rows, no index", "jobs:query", **_ROWS),
        Job("query-index", "the same with an index", "jobs:query_index", **_ROWS),
        Job("getitem", "read 1,000 samples of 12 KB by position", "jobs:getitem", **_PHOTOS, picks=1000),
        Job("iterate", "read 2,000 samples in order", "jobs:iterate", **_PHOTOS),
        Job("batches", "read 2,000 samples in batches of 32", "jobs:batches", **_PHOTOS),
        Job("shuffled", "read 2,000 samples shuffled", "jobs:shuffled", **_PHOTOS),
        Job("fetch", "fetch 1,000 samples by location", "jobs:fetch", **_PHOTOS, picks=1000),
        Job("write", "write 2,000 samples of 12 KB", "jobs:write", **_PHOTOS),
        Job("write-durable", "the same with fsync", "jobs:write_durable", **_PHOTOS),
        Job("append", "append 5,000 rows in 10 shards to as many", "jobs:append", **_FEW_ROWS),
        Job("annotate", "add a column to 10 shards", "jobs:annotate", **_FEW_ROWS),
        Job("compact", "index 20 shards", "jobs:compact", **_ROWS),
        Job("slice", "save and load half of 50,000 rows", "jobs:slices", **_ROWS),
        Job("describe", "open 20 shards and describe", "jobs:describe", **_ROWS),
        Job(PARALLEL, "write with several processes, over the ideal", "jobs:parallel", samples=200, shards=2),
    )
}
