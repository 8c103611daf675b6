"""SQL of every kind, right and wrong."""

import polars as pl
import pytest

import atdata
from atdata.manifest import QueryExecutor, ShardManifest
from atdata.manifest._sql import parse_sql

FRAME = pl.DataFrame(
    {
        "__key__": ["k0", "k1", "k2"],
        "__offset__": [0, 1, 2],
        "__size__": [1, 1, 1],
        "__crc32__": pl.Series([0, 0, 0], dtype=pl.UInt32),
        "label": ["dog", "cat", None],
        "a": [1, 2, 3],
        "ok": [True, False, None],
        "tags": [["x"], [], None],
        "note": ["please select", "it's; -- x", "read_csv('x')"],
        "select": [1, 2, 3],
        'qu"ote': [1, 2, 3],
    }
)
EXECUTOR = QueryExecutor([ShardManifest("s", "T", "1.0.0", 3, 3, "2024", {}, FRAME)])

RIGHT = {
    "label = 'dog'": {0},
    "label == 'dog'": {0},
    "  label = 'dog'\n AND a < 3 ": {0},
    "label IN ('dog', 'cat')": {0, 1},
    "label LIKE 'd%'": {0},
    "label ILIKE 'D%'": {0},
    "starts_with(label, 'c')": {1},
    "regexp_like(label, '^[cd]')": {0, 1},
    "lower(label) = 'dog'": {0},
    "length(label) = 3": {0, 1},
    "label || 's' = 'dogs'": {0},
    "label IS NULL": {2},
    "label IS NOT NULL": {0, 1},
    "label IS DISTINCT FROM 'dog'": {1, 2},
    "TRIM(BOTH 'd' FROM label) = 'og'": {0},
    "a BETWEEN 2 AND 3": {1, 2},
    "a NOT IN (1, 2)": {2},
    "a % 2 = 1": {0, 2},
    "a - -1 > 2": {1, 2},
    "a = 9007199254740993": set(),
    "ok": {0},
    "NOT ok": {1},
    "NOT (a = 1)": {1, 2},
    "TRUE": {0, 1, 2},
    "CASE WHEN a > 1 THEN TRUE ELSE FALSE END": {1, 2},
    "CAST(a AS VARCHAR) = '1'": {0},
    "array_contains(tags, 'x')": {0},
    "__key__ = 'k1'": {1},
    "__shard__ = 's' AND a = 1": {0},
    "note = 'please select'": {0},
    "note = 'it''s; -- x'": {1},
    "note = 'read_csv(''x'')'": {2},
    '"select" = 2': {1},
    '"qu""ote" = 2': {1},
    "`label` = 'dog'": {0},
}

WRONG = {
    # empty
    "": "is empty; give the condition alone",
    " \n": "is empty",
    # whole statements
    "SELECT 1": "is a whole statement .SELECT.",
    "select * from df where a > 1": "is a whole statement .SELECT.",
    "WITH x AS (SELECT 1) SELECT * FROM x": "is a whole statement .WITH.",
    "FROM df": "is a whole statement .FROM.",
    "DROP TABLE df": "is a whole statement .DROP.",
    "WHERE label = 'dog'": "holds WHERE.*without the WHERE",
    "where a > 1": "holds WHERE",
    "a > 1 ORDER BY a": "no condition that Polars understands.*ORDER",
    "a > 1 LIMIT 3": "no condition that Polars understands.*LIMIT",
    # several
    "a > 1; a < 3": "holds ';'.*several conditions in a list",
    "a > 1;": "holds ';'",
    "a > 1, a < 3": "unexpected token ','",
    # comments
    "a > 1 -- AND ok": "holds a comment, which may hide a part",
    "a > 1 /* AND */ AND ok": "holds a comment",
    "/* SELECT */ a > 1": "holds a comment",
    # nested queries
    "label IN (SELECT label FROM df)": "nests a query .SELECT.*ds.scan",
    "EXISTS (SELECT 1)": "nests a query .EXISTS",
    "a > (SELECT max(a) FROM df)": "nests a query .SELECT",
    "a > ALL (SELECT 1)": "nests a query .SELECT",
    "a > 1 UNION SELECT 1": "nests a query .UNION",
    "a IN (FROM df)": "nests a query .FROM",
    "a IN (TABLE df)": "nests a query .TABLE",
    "a IN (VALUES (1))": "nests a query .VALUES",
    "COUNT(*) FILTER (WHERE a > 1) > 1": "holds WHERE",
    # files
    "read_parquet('x') = 1": "calls read_parquet, which reads files",
    "a IN (FROM read_csv('x'))": "calls read_csv, which reads files",
    "EXISTS (FROM scan_parquet('x'))": "calls scan_parquet",
    # aggregates and windows
    "a > AVG(a)": "looks at more than one row",
    "COUNT(*) > 1": "looks at more than one row",
    "MAX(a) = a": "looks at more than one row",
    "FIRST(a) = 1": "looks at more than one row",
    "SUM(a) OVER (PARTITION BY label) > 1": "looks at more than one row",
    "ROW_NUMBER() OVER () = 1": "looks at more than one row",
    "unnest(tags) = 'x'": "looks at more than one row|does not fit",
    # no boolean
    "a": "gives 'a': Int64",
    "1": "expected a Boolean",
    "'dog'": "expected a Boolean",
    "NULL": "expected a Boolean",
    # syntax
    "label = 'dog": "Unterminated string",
    "a >": "unable to parse",
    "a > 1 AND": "unable to parse",
    "(a > 1": "no condition that Polars understands",
    "*": "unable to parse",
    "a = 1 b = 2": "unexpected token '='",
    "a > 1 ok": "names its result 'ok'.*is an AND or OR missing",
    "a > 1 AS x": "names its result 'x'",
    "label = $1": "no condition that Polars understands",
    "label = ?": "no condition that Polars understands",
    "nosuch(a) = 1": "unsupported function 'nosuch'",
    # columns and types
    'label = "dog"': r"column 'dog'.*double quotes name a column, and text stands in single quotes: 'dog'; the",
    "labell = 'dog'": "column 'labell'.*did you mean 'label'",
    "a = 'x'": "does not fit the columns",
    "label = NULL": r"compares with None.*\.is_null",
}


@pytest.mark.parametrize("sql", RIGHT)
def test_a_condition_selects_rows(sql):
    assert {location.offset for location in EXECUTOR.query(sql)} == RIGHT[sql]


@pytest.mark.parametrize("ask", ["query", "rows", "count", "explain"])
@pytest.mark.parametrize("sql", WRONG)
def test_what_is_no_condition_is_refused_with_what_it_is(sql, ask):
    with pytest.raises(atdata.PredicateError, match=WRONG[sql]):
        getattr(EXECUTOR, ask)(sql)


def test_a_name_that_was_not_quoted_gets_no_hint_about_quotes():
    with pytest.raises(atdata.PredicateError) as caught:
        EXECUTOR.query("label = dog")
    assert "quotes" not in str(caught.value)


def test_a_quoted_name_in_a_list_of_conditions_gets_the_hint():
    with pytest.raises(atdata.PredicateError, match="single quotes: 'dog'"):
        EXECUTOR.query([pl.col("a") > 0, 'label = "dog"'], a=1)


def test_the_message_is_one_line():
    with pytest.raises(atdata.PredicateError) as caught:
        parse_sql("a = \n1 b = 2")
    assert "\n" not in str(caught.value)


def test_no_file_is_read_for_a_condition(tmp_path):
    FRAME.write_parquet(tmp_path / "x.parquet")
    for sql in (
        f"a IN (SELECT a FROM '{tmp_path}/x.parquet')",
        f"a IN (SELECT a FROM read_parquet('{tmp_path}/x.parquet'))",
    ):
        with pytest.raises(atdata.PredicateError):
            EXECUTOR.query(sql)
