"""Which shards cannot hold what a predicate selects: proved from their statistics, or not at all."""

__all__: list[str] = []
