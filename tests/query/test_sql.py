"""SQL of every kind, right and wrong."""

import re

import polars as pl
import pytest

import atdata
from atdata.manifest import QueryExecutor, ShardManifest

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

#: What is refused, and the words of this library that say why.
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
    # several
    "a > 1; a < 3": "holds ';'.*several conditions in a list",
    "a > 1;": "holds ';'",
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
    # a name for the result, or an AND that is missing
    "a > 1 ok": "names its result 'ok'.*is an AND or OR missing",
    "a > 1 AS x": "names its result 'x'",
    # columns and types
    'label = "dog"': r"column 'dog'.*double quotes name a column, and text stands in single quotes: 'dog'; the",
    "labell = 'dog'": "column 'labell'.*did you mean 'label'",
    "a = 'x'": "does not fit the columns",
    "label = NULL": r"compares with None.*\.is_null",
}


#: What Polars refuses; its own words for why, which follow ours, differ from one version to the next.
NOT_UNDERSTOOD = [
    "a > 1 ORDER BY a",
    "a > 1 LIMIT 3",
    "a > 1, a < 3",
    "label = 'dog",
    "a >",
    "a > 1 AND",
    "(a > 1",
    "*",
    "a = 1 b = 2",
    "a = \n1 b = 2",
    "label = $1",
    "label = ?",
    "nosuch(a) = 1",
]


@pytest.mark.parametrize("sql", RIGHT)
def test_a_condition_selects_rows(sql):
    assert {location.offset for location in EXECUTOR.query(sql)} == RIGHT[sql]


def refusal(sql):
    """Return the message that refuses a condition, which is one line and the same whatever is asked."""
    messages = []
    for ask in (EXECUTOR.query, EXECUTOR.rows, EXECUTOR.count, EXECUTOR.explain):
        with pytest.raises(atdata.PredicateError) as caught:
            ask(sql)
        messages.append(str(caught.value))
    (message,) = set(messages)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("sql", WRONG)
def test_what_is_no_condition_is_refused_with_what_it_is(sql):
    assert re.search(WRONG[sql], refusal(sql))


@pytest.mark.parametrize("sql", NOT_UNDERSTOOD)
def test_what_polars_does_not_understand_is_refused_by_its_text(sql):
    assert refusal(sql).startswith(f"the SQL {sql!r} is no condition that Polars understands: ")


def test_a_name_that_was_not_quoted_gets_no_hint_about_quotes():
    with pytest.raises(atdata.PredicateError) as caught:
        EXECUTOR.query("label = dog")
    assert "quotes" not in str(caught.value)


def test_a_quoted_name_in_a_list_of_conditions_gets_the_hint():
    with pytest.raises(atdata.PredicateError, match="single quotes: 'dog'"):
        EXECUTOR.query([pl.col("a") > 0, 'label = "dog"'], a=1)


def test_no_file_is_read_for_a_condition(tmp_path):
    FRAME.write_parquet(tmp_path / "x.parquet")
    for sql in (
        f"a IN (SELECT a FROM '{tmp_path}/x.parquet')",
        f"a IN (SELECT a FROM read_parquet('{tmp_path}/x.parquet'))",
    ):
        with pytest.raises(atdata.PredicateError):
            EXECUTOR.query(sql)
