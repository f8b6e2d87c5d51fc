"""The documentation names what there is, and its commands and code are valid."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import click
import pytest

from mri_tumor.cli.configuring import read_config
from mri_tumor.cli.main import commands

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("[eht]*/*.md"))]
PAGES += sorted((ROOT / "docs" / "reference").glob("*.md"))
LINKED = [*PAGES, *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "CHANGELOG"))]
SUBPACKAGES = (
    "data", "images", "evaluation", "explain", "gate", "plots", "phantoms", "backbones",
    "export", "runtime", "answers",
)  # fmt: skip


def blocks(text, *languages):
    """Yield the fenced blocks of these languages."""
    for language, content in re.findall(r"^```(\S*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language in languages:
            yield content


def test_every_public_name_is_in_the_reference():
    pages = (ROOT / "docs" / "reference").glob("*.md")
    named = set(re.findall(r"\w+", " ".join(page.read_text(encoding="utf-8") for page in pages)))
    public = set(
        re.findall(r"import \w+ as (\w+)", (ROOT / "src/mri_tumor/__init__.pyi").read_text())
    )
    for name in SUBPACKAGES:
        public |= set(importlib.import_module(f"mri_tumor.{name}").__all__)
    assert sorted(public - named) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_the_pages_is_valid(page):
    for code in blocks(page.read_text(encoding="utf-8"), "python"):
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mri_tumor"):
                module = importlib.import_module(node.module)
                missing = [a.name for a in node.names if not has(module, a.name)]
                assert missing == [], f"{page.name}: {node.module} has no {missing}"


def test_the_configuration_file_of_the_reference_is_valid(tmp_path):
    page = ROOT / "docs" / "reference" / "configuration.md"
    (content,) = blocks(page.read_text(encoding="utf-8"), "toml")
    place = tmp_path / "train.toml"
    place.write_text(content, encoding="utf-8")
    command = commands.get_command(None, "train")
    context = click.Context(command, info_name="train")
    command.make_parser(context).parse_args(args=["scans/", "--config", str(place)])
    read_config(context, None, place)
    assert context.default_map["finetune_epochs"] == "3"
    assert len(context.default_map) == len(content.strip().splitlines())


def anchors(text):
    """Return the anchors of a page's headings, as Sphinx and most hosts make them."""
    titles = re.findall(
        r"^#+ (.*)$",
        re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL),
        re.MULTILINE,
    )
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page):
    text = re.sub(
        r"^```.*?^```|`[^`\n]*`",
        "",
        page.read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        if place.parent.name == "auto_tutorials":  # made by the build
            place = ROOT / "examples" / "tutorials" / f"{place.stem}.py"
        good = place.exists()
        if good and anchor and place.suffix == ".md":
            good = anchor in anchors(place.read_text(encoding="utf-8"))
        broken += [] if good else [target]
    assert broken == []


def has(module, name):
    """Say whether a module, or a module in it, has this name."""
    if hasattr(module, name) or module.__name__.split(".")[0] != "mri_tumor":
        return True
    try:
        importlib.import_module(f"{module.__name__}.{name}")
    except ModuleNotFoundError:
        return False
    return True


def command_lines():
    """Yield where a call of the command line stands, and its words."""
    for page in PAGES:
        for block in blocks(page.read_text(encoding="utf-8"), "", "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                found = re.search(r"(?:^|\s|/)mri-tumor (.*)", line.split(" #")[0])
                if found and "OPTIONS" not in line:
                    yield pytest.param(shlex.split(found[1]), id=f"{page.name}: {found[1]}")


@pytest.mark.parametrize("words", list(command_lines()))
def test_commands_of_the_pages_are_valid(words):
    words = words[: words.index(">")] if ">" in words else words
    if words[0].startswith("-"):
        return
    command = commands.get_command(None, words[0])
    assert command is not None, f"there is no command {words[0]}"
    parser = command.make_parser(click.Context(command, info_name=words[0]))
    parser.parse_args(args=list(words[1:]))
