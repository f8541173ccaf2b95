"""What ends a benchmark with one line."""


class BenchmarkError(Exception):
    """Its text is one line (or the last lines of a program) that says what to do."""
