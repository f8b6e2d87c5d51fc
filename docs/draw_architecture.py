"""Draw which part of the library imports which, from the real imports.

    python docs/draw_architecture.py    # writes docs/images/architecture.svg

The build of the docs runs it, so that the picture is never out of date. Rows are the layers of the contract in pyproject.toml. An import that follows from others is left out
(a transitive reduction), or nothing could be read.
"""

import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
PACKAGE = "mri_tumor"
WIDTH, ROW, BOX, GAP = 900, 58, 26, 14
HEADER = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    'font-family="system-ui, sans-serif" font-size="13">'
)
COLORS = {"box": "#e8f0f7", "line": "#2f6690", "text": "#16324f"}


def layers():
    """Return the parts of each layer, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]
    return [[part.strip() for part in row.split("|")] for row in contract["layers"]]


def imports():
    """Return the pairs (part, part that it imports)."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)
    pairs = set()
    for module in graph.modules:
        for used in graph.find_modules_directly_imported_by(module):
            first, second = (name.split(".")[1:2] for name in (module, used))
            if first and second and first != second:
                pairs.add((first[0], second[0]))
    return pairs


def reduced(pairs):
    """Leave out each pair that follows from others."""
    below = {}
    for first, second in pairs:
        below.setdefault(first, set()).add(second)

    def reaches(start, end):
        waiting, seen = [start], set()
        while waiting:
            part = waiting.pop()
            if part == end:
                return True
            if part not in seen:
                seen.add(part)
                waiting.extend(below.get(part, ()))
        return False

    return {
        (first, second)
        for first, second in pairs
        if not any(reaches(other, second) for other in below[first] - {second})
    }


def places(rows):
    """Return the box (x, y, width) of each part."""
    found = {}
    for number, row in enumerate(rows):
        widths = [22 + 7.6 * len(part) for part in row]
        x = (WIDTH - sum(widths) - GAP * (len(row) - 1)) / 2
        # Parts that are alone in their rows would stand on one another's lines.
        x += 90 * (0, -2, 2, -1, 1)[number % 5] if len(row) == 1 else 0
        for part, width in zip(row, widths, strict=True):
            found[part] = (x, 10 + ROW * number, width)
            x += width + GAP
    return found


def draw(rows, pairs):
    """Return the picture as SVG."""
    boxes = places(rows)
    height = 10 + ROW * (len(rows) - 1) + BOX + 10
    lines = [HEADER.format(width=WIDTH, height=height)]
    lines += [f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>']
    for first, second in sorted(pairs):
        (ax, ay, aw), (bx, by, bw) = boxes[first], boxes[second]
        x1, y1, x2, y2 = ax + aw / 2, ay + BOX, bx + bw / 2, by
        bend = (y2 - y1) / 2
        path = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
        lines.append(
            f'<path d="{path}" fill="none" stroke="{COLORS["line"]}" stroke-opacity="0.55">'
            f"<title>{escape(first)} imports {escape(second)}</title></path>"
        )
    for part, (x, y, width) in boxes.items():
        lines.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{BOX}" rx="5" '
            f'fill="{COLORS["box"]}" stroke="{COLORS["line"]}"/>'
            f'<text x="{x + width / 2:.0f}" y="{y + 17.5:.1f}" text-anchor="middle" '
            f'fill="{COLORS["text"]}">{escape(part)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def write():
    """Write the picture."""
    PICTURE.write_text(draw(layers(), reduced(imports())), encoding="utf-8")


if __name__ == "__main__":
    write()
