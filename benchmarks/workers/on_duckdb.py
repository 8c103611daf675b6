"""DuckDB over our sidecars."""

import duckdb
from common import Setup, Task, named
from queries import sidecars
from questions import BROAD, SURE, UNSURE, key_of

_WHERE = {
    "selective": f"confidence > {SURE} AND label = 'dog'",
    "tags": f"list_contains(tags, 'outdoor') AND confidence < {UNSURE}",
    "key": "__key__ = '{key}'",
    "broad": f"confidence < {BROAD}",
}


def _statement(setup: Setup) -> str:
    where = _WHERE[setup.question].format(key=key_of(setup.samples))
    tables = sidecars(setup) / "*.manifest.parquet"
    return (
        "SELECT filename, __key__, __offset__, __size__, __crc32__ "  # noqa: S608 -- files of its own making
        f"FROM read_parquet('{tables}', filename = true) WHERE {where}"
    )


def _answer(found: list[tuple]) -> tuple[int, str]:
    return named((path.rpartition("/")[2].removesuffix(".manifest.parquet"), key) for path, key, *_ in found)


def query(setup: Setup) -> Task:
    """Ask on a connection that stays open, for a list of tuples."""
    connection, statement = duckdb.connect(), _statement(setup)
    return Task(lambda: connection.execute(statement).fetchall(), _answer)


def query_cold(setup: Setup) -> Task:
    """Connect and ask, for a list of tuples."""
    statement = _statement(setup)

    def run() -> list[tuple]:
        with duckdb.connect() as connection:
            return connection.execute(statement).fetchall()

    return Task(run, _answer)
