"""A store in memory that notes what is read from it."""

from atdata._storage import MemoryStore


class RecordingStore(MemoryStore):
    """Notes the names of files whose bytes are asked for."""

    def __init__(self):
        super().__init__()
        self.read_names = []

    def read(self, name, *args, **kwargs):
        """Note the name."""
        self.read_names.append(name)
        return super().read(name, *args, **kwargs)

    @property
    def tables_read(self):
        """The sample tables that were read, in order."""
        return [name for name in self.read_names if name.endswith(".parquet")]
