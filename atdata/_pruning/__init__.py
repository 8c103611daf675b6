"""Which shards cannot hold what a predicate selects: proved from their statistics, or not at all.

What follows holds of every rule. A row is selected where the predicate is true; null selects nothing. A rule states
when a shard *might* hold such a row: where that is false, it cannot; where it is null, too little is known, and it
might. What no rule recognises might match.
"""

from ._survivors import Statistics, survivors
from ._tree import conjuncts

__all__ = ["Statistics", "conjuncts", "survivors"]
