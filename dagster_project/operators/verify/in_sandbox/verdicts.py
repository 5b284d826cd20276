"""What is told of a test."""

from __future__ import annotations

PASSED, FAILED, ERROR = "passed", "failed", "error"


class Verdict:
    """What became of a test.

    Attributes:
        test: its source, or the name of what it is about and its source.
        status: `passed`, `failed` or `error` (it raised).
        came: what came of it instead, as a person would write it.
        trusts_code: whether that is only what the process that runs the code says of itself.
    """

    def __init__(self, test: str, status: str, came: str, trusts_code: bool = False) -> None:
        self.test, self.status, self.came, self.trusts_code = test, status, came, trusts_code
