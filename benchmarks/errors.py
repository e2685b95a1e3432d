"""What makes a measurement worthless."""


class BenchmarkError(Exception):
    """One sentence on why there is no result; `details` may hold the last lines of the logs."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details
