"""DuckDB over our sidecars, and over one file of the same rows."""

from typing import Any

import duckdb
from answers import asked_task
from common import Setup, Task
from on_polars import described_task, facts_of, gathering, one_file
from questions import PLACE, condition
from sidecars import tables


def _ask(connection: duckdb.DuckDBPyConnection, setup: Setup, source: str, *columns: str) -> Any:
    if setup.question == "count":
        statement = f"SELECT label, count(*) AS len FROM {source} GROUP BY label"  # noqa: S608 -- its own files
        return connection.execute(statement).to_arrow_table()
    chosen = ", ".join([*columns, *PLACE])
    found = connection.execute(f"SELECT {chosen} FROM {source} WHERE {condition(setup)}")  # noqa: S608 -- as above
    return found.fetchall() if setup.question == "list" else found.to_arrow_table()


def _cold(setup: Setup, source: str, *columns: str) -> Task:
    def run() -> Any:
        with duckdb.connect() as connection:
            return _ask(connection, setup, source, *columns)

    return asked_task(setup, run)


def _warm(setup: Setup, source: str, *columns: str) -> Task:
    connection = duckdb.connect()
    return asked_task(setup, lambda: _ask(connection, setup, source, *columns))


def _sidecars(setup: Setup) -> str:
    return f"read_parquet('{tables(setup)}')"


def _one(setup: Setup) -> str:
    return f"read_parquet('{one_file(setup)}')"


def query(setup: Setup) -> Task:
    """Connect and ask the sidecars."""
    return _cold(setup, _sidecars(setup))


def query_warm(setup: Setup) -> Task:
    """Ask the sidecars on a connection that stays open."""
    return _warm(setup, _sidecars(setup))


def query_one(setup: Setup) -> Task:
    """Connect and ask the one file."""
    return _cold(setup, _one(setup), "__shard__")


def query_one_warm(setup: Setup) -> Task:
    """Ask the one file on a connection that stays open."""
    return _warm(setup, _one(setup), "__shard__")


def open_(setup: Setup) -> Task:
    """Connect, and find out the sidecars' columns."""
    statement = f"DESCRIBE SELECT * FROM {_sidecars(setup)}"  # noqa: S608 -- its own files

    def run() -> Any:
        with duckdb.connect() as connection:
            return connection.execute(statement).fetchall()

    return Task(run, lambda _: (setup.shards, None))


def gather(setup: Setup) -> Task:
    """Make one file of the sidecars."""
    path = setup.scratch / "gathered.parquet"
    statement = f"COPY (SELECT * FROM {_sidecars(setup)}) TO '{path}' (FORMAT parquet, COMPRESSION lz4_raw)"  # noqa: S608 -- as above

    def run() -> None:
        with duckdb.connect() as connection:
            connection.execute(statement)

    return gathering(setup, run, path)


def describe(setup: Setup) -> Task:
    """Sum up what the sidecars hold."""
    return _described(_sidecars(setup))


def describe_one(setup: Setup) -> Task:
    """Sum up what the one file holds."""
    return _described(_one(setup))


def _described(source: str) -> Task:
    numbers = ", ".join(f"{what}({name})" for name in ("confidence", "ts") for what in ("min", "max", "avg"))

    def run() -> Any:
        with duckdb.connect() as connection:
            labels = connection.execute(f"SELECT label, count(*) FROM {source} GROUP BY label").fetchall()  # noqa: S608 -- as above
            row = connection.execute(f"SELECT {numbers} FROM {source}").fetchone()  # noqa: S608 -- as above
        return facts_of(dict(labels), row)

    return described_task(run)
