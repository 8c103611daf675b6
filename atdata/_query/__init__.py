"""Predicates, and the engine that runs them against manifests."""

from typing import TYPE_CHECKING

from atdata._doorway import doorway

if TYPE_CHECKING:
    from ._comparison import F, FieldProxy, Predicate, query_fields
    from ._executor import Explanation, QueryExecutor, explain, result_columns
    from ._key_index import KeyIndex
    from ._predicate import Question, Where, parse_where
    from ._scans import FAILURES
    from ._serialize import read_question, written_question
    from ._source import check, count, select
    from ._stored import StoredManifests
else:
    __getattr__, __dir__ = doorway(
        __name__,
        {
            "Explanation": "atdata._query._executor",
            "F": "atdata._query._comparison",
            "FAILURES": "atdata._query._scans",
            "FieldProxy": "atdata._query._comparison",
            "KeyIndex": "atdata._query._key_index",
            "Predicate": "atdata._query._comparison",
            "QueryExecutor": "atdata._query._executor",
            "Question": "atdata._query._predicate",
            "StoredManifests": "atdata._query._stored",
            "Where": "atdata._query._predicate",
            "check": "atdata._query._source",
            "count": "atdata._query._source",
            "explain": "atdata._query._executor",
            "parse_where": "atdata._query._predicate",
            "query_fields": "atdata._query._comparison",
            "read_question": "atdata._query._serialize",
            "result_columns": "atdata._query._executor",
            "select": "atdata._query._source",
            "written_question": "atdata._query._serialize",
        },
    )

__all__ = [
    "FAILURES",
    "Explanation",
    "F",
    "FieldProxy",
    "KeyIndex",
    "Predicate",
    "QueryExecutor",
    "Question",
    "StoredManifests",
    "Where",
    "check",
    "count",
    "explain",
    "parse_where",
    "query_fields",
    "read_question",
    "result_columns",
    "select",
    "written_question",
]
