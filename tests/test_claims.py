"""Figures in the README and the docs equal what was recorded, and say which command prints them.

A comment before a paragraph, list or table ties its figures to a file of `benchmarks/results`, in the
order in which they stand there:

    <!-- figures of leak
    97.3% = clean/accuracy
    96.1-98.4 = clean/intervals/accuracy * 100
    10.9% = summary/[method=grad_cam][label=all]/pointing
    -->

A figure stands for the recorded value rounded to as many places as it shows; a per cent sign stands
for a hundredth. `benchmarks/record.py` writes those files.
"""

import json
import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CARD = ROOT / "src/mri_tumor/weights/brain-mri/MODEL_CARD.md"
PAGES = [ROOT / "README.md", CARD, *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs").glob("[!_a]*/*.md"))
NO_FIGURES = {"cli.md", "errors.md"}  # made of the help; exit codes
PAGES = [page for page in PAGES if page.name not in NO_FIGURES]

COMMENT = re.compile(r"<!-- figures of (\S+)\n(.*?)-->\s*", re.DOTALL)
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")
# What a reader takes for a measurement.
FIGURE = re.compile(
    r"\d[\d,]*(?:\.\d+)?(?:\s?%|\s(?:points|ms|s|MB|GB|seconds|minutes|hours|images/s|million)\b)"
    r"|\b0\.\d{3,}|\b\d{1,3}(?:,\d{3})+\b|(?<=\| )\d[\d,.]*(?= \|)"
)
# What looks like one and is a setting, a definition or a turn of speech.
NO_MEASUREMENT = (
    r"95% intervals?", r"\b95% coverage", r"sensitivity of 99%", r"at 99% sensitivity",
    r"for 99% sensitivity", r"kept 99% sensitivity", r"why 99% means", r"figure of 99%",
    r"nearly 100%", r"near 100%", r"of 100 images", r"get 70%", r"about 70", r"scores 100%",
    r"2% of the images", r"The 95% that were aimed at", r"the 99% that were aimed at",
    r"refuse 1% of scans", r"within 10%", r"more than 200 MB",
    r"arXiv:[\d.]+", r"doi\.org/\S+", 
    r"100 million", r"For\s+100,000 files",  # sizes that were asked for
    # Counts of the data's own tables, and of a part of them.
    r"[\d,]+ \| (?:all classes|\*tumour\*|where to take)", r"2,500\s+images", r"\(1,455 with a tumour\)",
)  # fmt: skip


@cache
def record(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def claims(text):
    """Yield the record, the described text's place, and the lines of each comment."""
    for found in COMMENT.finditer(text):
        start = found.end()
        while another := COMMENT.match(text, start):
            start = another.end()
        end = re.search(r"\n\s*\n|\Z", text[start:])
        lines = [line.strip() for line in found[2].strip().splitlines()]
        yield found[1], (start, start + end.start()), lines


def value_at(results, path):
    """Follow a path; `[key=value]` picks the one of a list of which that is so."""
    for step in path.split("/"):
        if step.startswith("["):
            wanted = re.findall(r"\[([^=\]]+)=([^\]]*)\]", step)
            hits = [one for one in results if all(str(one[key]) == is_ for key, is_ in wanted)]
            assert len(hits) == 1, f"{path}: {len(hits)} of the list fit {step}"
            results = hits[0]
        else:
            results = results[int(step) if isinstance(results, list) else step]
    return results


def numbers_of(shown):
    """Return the numbers of a text such as `+0.2`, `3,313` or `96.1-98.4`."""
    separated = re.sub(r"(?<=\d)\s*(?:-|to)\s*(?=[+-]?\d)", " ; ", shown)
    return [Decimal(one.replace(",", "")) for one in NUMBER.findall(separated)]


def rounds_to(value, shown):
    """Say whether a value, rounded to the places of what is shown, is that; a tie may go either way."""
    exact = Decimal(repr(value))
    step = Decimal(1).scaleb(shown.as_tuple().exponent)
    return shown in {exact.quantize(step, way) for way in (ROUND_HALF_EVEN, ROUND_HALF_UP)}


def differences(text):
    """Yield what is wrong with the claims of a page."""
    for name, (start, end), lines in claims(text):
        block, place = text[start:end], 0
        for line in lines:
            shown, _, path = line.partition(" = ")
            path, _, factor = path.partition(" * ")
            words = r"\s+".join(map(re.escape, shown.split()))
            found = re.compile(rf"(?<![\d.,+-]){words}(?!\d|[.,]\d)").search(block, place)
            if not found:
                yield f"{name}: {shown!r} does not stand where the comment says"
                continue
            place = found.end()
            scale = float(factor or 1) * (100 if "%" in shown else 1)
            recorded = value_at(record(name)["results"], path)
            values = recorded if isinstance(recorded, list) else [recorded]
            values = [float(f"{one * scale:.12g}") for one in values]
            stated = numbers_of(shown)
            if len(stated) != len(values) or not all(map(rounds_to, values, stated)):
                yield f"{name}: {shown!r} stands there, and {path} is {values}"


def uncovered(text):
    """Yield figures for which no comment speaks."""
    covered = set()
    for _, (start, end), lines in claims(text):
        place = start
        for line in lines:
            shown = line.partition(" = ")[0]
            words = r"\s+".join(map(re.escape, shown.split()))
            found = re.compile(words).search(text, place, end)
            if found:
                covered |= set(range(*found.span()))
                place = found.end()
    silent = r"<!--.*?-->|^```.*?^```|`[^`\n]*`|\]\([^)]*\)|" + "|".join(NO_MEASUREMENT)
    for found in re.finditer(silent, text, re.DOTALL | re.MULTILINE):
        covered |= set(range(*found.span()))
    for found in FIGURE.finditer(text):
        if found.start() not in covered:
            yield f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_figures_are_those_recorded(page):
    assert list(differences(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_figure_has_a_record(page):
    assert list(uncovered(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_the_command_of_its_figures(page):
    text = page.read_text(encoding="utf-8")
    visible = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    for name, _, _ in claims(text):
        program = re.search(r"[\w/]+\.py|mri-tumor \w+", record(name)["command"])[0]
        assert program.split("/")[-1] in visible, f"{page.name}: figures of {name}: {program}"


def test_a_record_says_how_it_was_made():
    records = sorted(RESULTS.glob("*.json"))
    assert records
    for path in records:
        found = record(path.stem)
        assert set(found) >= {"command", "date", "machine", "versions", "results"}
        script = re.search(r"[\w/]+\.py", found["command"])
        assert script is None or (ROOT / script[0]).is_file(), path.name
        text = path.read_text(encoding="utf-8")
        assert not re.search(r'"/|\.jpg|\.png"|\.dcm', text), f"{path.name} names files"


def test_a_figure_that_differs_is_found(monkeypatch):
    results = {
        "accuracy": 0.97316,
        "interval": [0.9614, 0.9835],
        "rows": [{"n": "a", "gain": 0.0023}],
    }
    monkeypatch.setitem(globals(), "record", lambda _: {"results": results})
    page = """<!-- figures of it
97.3% = accuracy
96.1-98.4 = interval * 100
+0.2 = rows/[n=a]/gain * 100
-->
| all | 97.3% (96.1-98.4) | +0.2 points |
"""
    assert list(differences(page)) == []
    assert list(uncovered(page)) == []
    assert len(list(differences(page.replace("97.3%", "97.4%")))) == 1
    assert len(list(differences(page.replace("96.1-98.4)", "96.1-98.5)")))) == 1
    assert len(list(differences(page.replace("98.4 =", "98.5 =").replace("98.4)", "98.5)")))) == 1
    assert list(uncovered("It is 97.3% there, in 3,000 images.")) == [
        "line 1: 97.3%",
        "line 1: 3,000",
    ]
