"""What a job, a candidate and a case are."""

import dataclasses

__all__ = ["DATA_KINDS", "GROWTH", "JOBS", "QUESTIONS", "Candidate", "Case"]

#: The jobs by name, with what each is.
JOBS = {
    "write": "Write samples to a fresh folder",
    "read": "Read every sample in order, each an object with an array whose last element is touched",
    "batch": "Read every sample in order, in batches of 32 whose images are one array",
    "fetch": "Fetch random samples, each an object with an array whose last element is touched",
    "slice": "Read a tenth of the samples in shuffled order, each as in `read`",
    "loader": "Read every sample through PyTorch's DataLoader with 2 workers, in batches of 32 as tensors",
    "resume": "Take up an epoch in the middle, until it is known which samples come next",
    "tars": "Find all samples of tars that come without manifests",
    "open": "Open a dataset's manifests, until a question can be asked",
    "index": "Build one index of all manifests",
    "query": "Ask which samples answer a question",
    "describe": "Sum up all rows: how often each label occurs, least, greatest and mean number",
    "growth": "Open, ask and build an index of ever more shards of 1,000 rows",
    "import": "Start Python, import, and end",
    "memory": "Write small samples from a generator: by how much the peak of resident memory rises",
}
#: The questions of the job `query`, by name.
QUESTIONS = {
    "selective": 'confidence > 0.999 and label == "dog"',
    "tags": 'tags contain "outdoor" and confidence < 0.7',
    "key": "one key",
    "range": "a hundredth of the times",
    "broad": "confidence < 0.2: a fifth of the rows",
    "count": "how many rows each label has",
    "list": "as `broad`, as a Python list of places",
}
#: How rows are distributed over shards.
DATA_KINDS = {
    "random": "every shard has every label; keys and times are unordered",
    "clustered": "each label is a run of shards; keys and times ascend",
}
#: What the job `growth` does, by name: a query that can be pruned and one that cannot are among them.
GROWTH = {"open": "open", "key": "open and ask for one key", "tags": "open and ask `tags`", "build": "build the index"}


@dataclasses.dataclass(frozen=True)
class Case:
    """One thing that candidates are compared at."""

    job: str
    #: Samples or rows, and the shards that they are in.
    samples: int
    shards: int
    #: Name of the size, for questions.
    size: str = ""
    kind: str = ""
    question: str = ""

    @property
    def name(self) -> str:
        """The case in results: its job, then whatever tells it from the job's other cases."""
        return "/".join(part for part in (self.job, self.size, self.kind, self.question) if part)

    @property
    def group(self) -> str:
        """The cases that share data, whose peak of memory is one figure."""
        return (
            self.name if self.job == "growth" else "/".join(part for part in (self.job, self.size, self.kind) if part)
        )


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way to do a job."""

    job: str
    name: str
    #: Module and function in benchmarks/workers; for fresh processes, what they run.
    task: str
    #: What it does and does not do, in one line.
    words: str
    #: Our candidate that it is held against; empty for ours and for limits.
    against: str = ""
    #: Distributions it cannot run without.
    needs: tuple[str, ...] = ()
    environment: str = "peers"
    #: The sizes it takes part in; none for all.
    sizes: tuple[str, ...] = ()
    #: The questions it takes part in; none for all.
    questions: tuple[str, ...] = ()
    #: Whether its peak of memory tells anything: not where other processes do the work.
    has_peak: bool = True

    @property
    def is_limit(self) -> bool:
        """Whether it finds nothing: what the machine can do at all."""
        return self.name.startswith("limit: ")

    def does(self, case: Case) -> bool:
        """Tell whether it takes part in a case."""
        return (
            self.job == case.job
            and (not self.sizes or case.size in self.sizes)
            and (not self.questions or case.question in self.questions)
        )
