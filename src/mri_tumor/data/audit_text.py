"""Put an audit into words, a table and plain values."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.data.dataset import Dataset
from mri_tumor.data.problems import describe_problems
from mri_tumor.data.shortcuts import QUESTIONS

if TYPE_CHECKING:
    from mri_tumor.data.audit_report import AuditReport

CAVEAT = "Research software, not a medical device."
VERDICT = "which means"


def count_by_label(values: Sequence[str], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count values within each label, the most frequent first.

    Examples
    --------
    >>> count_by_label(["x", "y", "y"], ["a", "a", "a"])
    {'a': {'y': 2, 'x': 1}}
    """
    table: dict[str, Counter[str]] = {label: Counter() for label in sorted(set(labels))}
    for value, label in zip(values, labels, strict=True):
        table[label][value] += 1
    return {label: dict(counter.most_common()) for label, counter in table.items()}


def _sizes(dataset: Dataset) -> list[str]:
    return [f"{width}x{height}" for height, width in dataset.sizes.tolist()]


def as_plain(report: "AuditReport", *, n_pairs: int) -> dict[str, Any]:
    """Give an audit as plain values; see `AuditReport.to_dict`."""
    data = report.dataset
    return {
        **report.figures,
        "task": data.task,
        "classes": list(data.classes),
        "radius": report.radius,
        "fingerprint": data.fingerprint,
        "counts": data.counts(),
        "sources": count_by_label(data.sources, data.labels),
        "sizes": count_by_label(_sizes(data), data.labels),
        "leaks_between": [
            {"first": first, "second": second, "images": images}
            for (first, second), images in report.leaks.pairs.items()
        ],
        "conflicts": [
            [{"path": data.paths[i], "label": data.labels[i]} for i in group]
            for group in report.conflicts
        ],
        "pairs": [
            {
                "first": data.paths[pair.first],
                "second": data.paths[pair.second],
                "labels": [data.labels[pair.first], data.labels[pair.second]],
                "distance": pair.distance,
                "exact": pair.exact,
                "conflict": pair.conflict,
                "leak": pair.leak,
            }
            for pair in report.pairs[:n_pairs]
        ],
        "shortcuts": [
            {
                "name": shortcut.name,
                "looks_at": QUESTIONS[shortcut.name],
                "balanced_accuracy": shortcut.balanced_accuracy,
                "chance": shortcut.chance,
                "tumor_auc": shortcut.tumor_auc,
                "n_images": shortcut.n_images,
                "verdict": shortcut.verdict,
            }
            for shortcut in report.shortcuts
        ],
        "problem_files": [{"path": p.path, "reason": p.reason} for p in data.problems],
        "notes": list(report.notes),
        "caveat": CAVEAT,
    }


def as_text(report: "AuditReport") -> str:
    """Write an audit as the table that it prints as."""
    blocks = [[*_aligned(rows), *lines] for rows, lines in parts(report)]
    return "\n\n".join("\n".join(block) for block in blocks)


def parts(report: "AuditReport") -> Iterator[tuple[list[list[str]], list[str]]]:
    """Yield what an audit tells, block by block.

    Parameters
    ----------
    report : AuditReport
        The audit.

    Yields
    ------
    rows : list of list of str
        A table, its heads first; empty where there is none.
    lines : list of str
        What stands below it.
    """
    problems = describe_problems(
        report.dataset.problems, n_files=len(report.dataset) + len(report.dataset.problems)
    )
    notes = [f"Note: {note}." for note in (text.rstrip(".") for text in report.notes)]
    yield _counts(report), []
    yield _copies(report)
    for lines in (_leaks(report), _conflicts(report)):
        yield [], lines
    if report.shortcuts:
        yield _shortcuts(report)
    for lines in (problems, notes, [CAVEAT]):
        if lines:
            yield [], lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align the cells: the first column and verdicts to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if head in {rows[0][0], VERDICT} else cell.rjust(width)
            for head, cell, width in zip(rows[0], row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _counts(report: "AuditReport") -> list[list[str]]:
    data = report.dataset
    sizes = count_by_label(_sizes(data), data.labels)
    sources = count_by_label(data.sources, data.labels)
    parts = data.counts()
    no_part = "in none" if len(parts) > 1 else "images"
    rows = [["class", *(part or no_part for part in parts), "commonest size", "sources"]]
    for label in next(iter(parts.values()), {}):
        if label not in sizes:
            continue
        size, n = next(iter(sizes[label].items()))
        share = n / sum(sizes[label].values())
        told = ", ".join(f"{name} {count:,}" for name, count in sources[label].items())
        counts = [f"{row[label]:,}" for row in parts.values()]
        rows.append([label, *counts, f"{size} ({share:.0%})", told])
    return rows


def _copies(report: "AuditReport") -> tuple[list[list[str]], list[str]]:
    figures = report.figures
    rows = [
        ["copies", "groups", "images"],
        [
            "identical pixels",
            f"{figures['exact_duplicate_groups']:,}",
            f"{figures['exact_duplicate_images']:,}",
        ],
        [
            f"near (up to {report.radius} of 256 bits, turned and mirrored too)",
            f"{figures['near_duplicate_groups']:,}",
            f"{figures['near_duplicate_images']:,}",
        ],
    ]
    summary = (
        f"{figures['n_images']:,} images are {figures['n_groups']:,} independent ones; "
        f"the largest group has {figures['largest_group']:,}."
    )
    return rows, [summary]


def _leaks(report: "AuditReport") -> list[str]:
    parts = [part for part in report.dataset.counts() if part]
    if len(parts) < 2:
        return [
            "The data names no split. write_split, or --split FILE, writes one that has no leak."
        ]
    if not report.leaks:
        return [f"No leak between {', '.join(parts)}."]
    return [f"LEAK: {report.leaks}. write_split, or --split FILE, writes a split that has none."]


def _conflicts(report: "AuditReport") -> list[str]:
    if not report.conflicts:
        return ["No copies with contradicting labels."]
    data = report.dataset
    lines = [f"{len(report.conflicts):,} groups of copies with contradicting labels:"]
    for group in report.conflicts[:5]:
        one_each = {data.labels[i]: i for i in reversed(group)}
        told = " / ".join(
            f"{label}: {Path(data.paths[i]).name}" for label, i in sorted(one_each.items())
        )
        lines.append(f"  {told}")
    if len(report.conflicts) > 5:
        lines.append(f"  and {len(report.conflicts) - 5:,} more")
    return lines


def _shortcuts(report: "AuditReport") -> tuple[list[list[str]], list[str]]:
    rows = [["shortcut", "balanced accuracy", "(chance)", "tumor AUC", VERDICT]]
    for shortcut in report.shortcuts:
        auc = "-" if shortcut.tumor_auc is None else f"{shortcut.tumor_auc:.3f}"
        share, chance = f"{shortcut.balanced_accuracy:.3f}", f"({shortcut.chance:.3f})"
        rows.append([shortcut.name, share, chance, auc, shortcut.verdict])
    explained = [f"  {shortcut.name}: {QUESTIONS[shortcut.name]}" for shortcut in report.shortcuts]
    return rows, ["What each looks at, with a linear model on held-out groups:", *explained]
