"""Files that were left out, in words."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was left out, and why.

    Examples
    --------
    >>> print(Problem("scan.png", "the file is empty."))
    scan.png: the file is empty.
    """

    path: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.path in self.reason else f"{self.path}: {self.reason}"


def describe_problems(problems: Sequence[Problem], *, n_files: int, most: int = 10) -> list[str]:
    """List the files that were left out, the first few by name."""
    if not problems:
        return []
    lines = [f"{len(problems):,} of {n_files:,} files left out:"]
    lines.extend(f"  {problem}" for problem in problems[:most])
    if len(problems) > most:
        lines.append(f"  and {len(problems) - most:,} more")
    return lines
