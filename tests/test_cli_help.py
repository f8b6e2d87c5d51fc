"""Help, suggestions, completion, options from a file, and the manual."""

import os
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mri_tumor.backbones import get_backbone
from mri_tumor.bundle import find_bundle
from mri_tumor.cli.configuring import config_option
from mri_tumor.cli.main import commands
from mri_tumor.cli.manual import manual
from mri_tumor.errors import MRITumorError, ParameterError, suggestion
from mri_tumor.explain import get_method

ROOT = Path(__file__).resolve().parents[1]
MAIN = "import sys; from mri_tumor.cli import main; sys.argv[0] = 'mri-tumor'; main()"


def output(*arguments):
    return CliRunner().invoke(commands, arguments, prog_name="mri-tumor").output


@click.command("try")
@click.argument("data", nargs=-1, required=True)
@click.option("--finetune-epochs", type=int, default=6)
@click.option("--strict", is_flag=True)
@click.option("--share", type=float, multiple=True)
@click.option("--rate", type=click.FloatRange(0, 1), default=0.5)
@config_option
def attempt(**given):
    click.echo(repr(given))


def attempted(tmp_path, text, *arguments):
    file = tmp_path / "options.toml"
    file.write_text(text)
    return CliRunner().invoke(attempt, ["--config", str(file), *arguments])


def test_a_mistyped_command_option_or_name_gets_a_guess():
    assert "Did you mean 'predict'?" in output("pedict", "x.png")
    assert "--model" in output("predict", "--modle", "x", "a.png")
    assert (
        suggestion("MobileNetv2", ["ResNet50V2", "MobileNetV2"]) == " Did you mean 'MobileNetV2'?"
    )
    assert suggestion("qqqq", ["MobileNetV2"]) == ""


@pytest.mark.parametrize(
    ("call", "guess"),
    [
        (lambda: get_backbone("MobilNetV2"), "MobileNetV2"),
        (lambda: find_bundle("brain_mri"), "brain-mri"),
        (lambda: get_method("grad_kam"), "grad_cam"),
    ],
)  # fmt: skip
def test_python_names_get_a_guess_too(call, guess):
    with pytest.raises(MRITumorError, match=f"Did you mean '{guess}'"):
        call()


def test_a_mistyped_class_gets_a_guess():
    from mri_tumor.explain.targets import resolve_targets

    with pytest.raises(ParameterError, match=r"no class 'gliom'; Did you mean 'glioma'\?"):
        resolve_targets("gliom", n_images=1, n_classes=2, class_names=["glioma", "notumor"])


def test_every_help_has_an_example():
    for name in commands.commands:
        assert f"mri-tumor {name}" in output(name, "--help").split("Usage:")[1], name
        assert "Example" in output(name, "--help"), name


def test_options_come_from_a_file_and_the_command_line_wins(tmp_path):
    text = "finetune-epochs = 3\nstrict = true\nshare = [0.1, 0.2]\n[try]\nrate = 0.25\n"
    found = attempted(tmp_path, text, "scans", "--finetune-epochs", "4")
    assert literal_eval(found.output) == {
        "finetune_epochs": 4, "strict": True, "share": (0.1, 0.2), "rate": 0.25, "data": ("scans",),
    }  # fmt: skip


def test_a_file_may_name_the_data(tmp_path):
    found = attempted(tmp_path, 'data = ["a", "b"]\nfinetune_epochs = 2\n')
    assert literal_eval(found.output)["data"] == ("a", "b")
    assert literal_eval(found.output)["finetune_epochs"] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("finetune-epoch = 1", "no option 'finetune-epoch'. Did you mean 'finetune-epochs'?"),
        ("rate = 7", "7"),
        ("rate = 'much'", "much"),
        ("rate = {a = 1}", "must be a value, not a table"),
        ("rate = = 1", "cannot be read as TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, said):
    found = attempted(tmp_path, text, "scans")
    assert found.exit_code == 2
    assert said in found.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_written_for_each_shell(shell):
    assert "_MRI_TUMOR_COMPLETE" in output("--completion", shell)


def test_the_shell_completes_commands_and_backbones():
    def complete(words):
        done = subprocess.run(
            [sys.executable, "-c", MAIN], capture_output=True, text=True, check=False,
            env={
                **os.environ, "_MRI_TUMOR_COMPLETE": "bash_complete", "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split(" ")) - 1),
            },
        )  # fmt: skip
        return [line.split(",")[-1] for line in done.stdout.splitlines()]

    assert complete("mri-tumor ex") == ["explain", "export"]
    assert complete("mri-tumor train --backbone mobilenetv3") == [
        "MobileNetV3Large", "MobileNetV3Small",
    ]  # fmt: skip


def test_the_manual_says_what_help_says():
    page = ROOT / "docs" / "reference" / "cli.md"
    text = manual(commands)
    assert page.read_text() == text, "run: python -m mri_tumor.cli.manual > docs/reference/cli.md"
    for name, command in commands.commands.items():
        assert f"## {name}\n" in text
        assert all(
            f"`{option}" in text for one in command.params for option in one.opts
            if isinstance(one, click.Option)
        )  # fmt: skip


def test_a_table_is_drawn_on_a_terminal_and_plain_elsewhere(monkeypatch, capsys):
    from mri_tumor.cli.tables import write_table

    write_table(["name", "size"], [["a[b]", "1\n2"]])
    assert capsys.readouterr().out == "a[b]\t1\\n2\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    write_table(["name", "size"], [["a[b]", "1\n2"]])
    lines = capsys.readouterr().out.splitlines()
    assert "name" in lines[1]
    assert "a[b]" in lines[3]


def test_results_are_drawn_on_a_terminal_and_told_as_text_elsewhere(monkeypatch, capsys):
    from mri_tumor import compare_predictions, evaluate_predictions
    from mri_tumor.cli import tables

    monkeypatch.setenv("TERM", "dumb")  # no colours
    monkeypatch.setenv("COLUMNS", "150")
    rows = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]
    labels = ["notumor", "tumor", "tumor", "tumor"]
    named = {"classes": ["notumor", "tumor"], "n_bootstrap": 0}
    report = evaluate_predictions(labels, rows, **named)
    compared = compare_predictions(labels, rows, rows[::-1], **named)
    for show, result in ((tables.show_evaluation, report), (tables.show_paired, compared)):
        show(result)
        plain = capsys.readouterr().out
        assert plain == f"{result}\n"
        with monkeypatch.context() as patched:
            patched.setattr(sys.stdout, "isatty", lambda: True, raising=False)
            show(result)
        drawn = capsys.readouterr().out
        assert "─" in drawn
        assert "Research software, not a medical device." in drawn
        words = [word for line in plain.splitlines() for word in line.split()]
        assert set(words) - set(drawn.split()) == set()


def test_an_audit_is_drawn_on_a_terminal(monkeypatch, capsys, tmp_path):
    from mri_tumor import audit_dataset, make_phantoms
    from mri_tumor.cli.tables import show_audit

    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "150")
    make_phantoms(8, folder=tmp_path, size=64, seed=0)
    report = audit_dataset(tmp_path, max_images=0)
    show_audit(report)
    plain = capsys.readouterr().out
    assert plain == f"{report}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    show_audit(report)
    drawn = capsys.readouterr().out
    assert "─" in drawn
    assert set(plain.split()) - set(drawn.split()) == set()


@pytest.mark.parametrize("command", ["train", "leak"])
def test_a_mistyped_backbone_is_told_before_images_are_read(command, tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("images were read")

    monkeypatch.setattr("mri_tumor.data.load_dataset", refuse)
    (tmp_path / "scans").mkdir()
    options = ["--backbone", "mobilnet"]
    done = CliRunner().invoke(commands, [command, str(tmp_path / "scans"), *options])
    assert "Did you mean 'MobileNetV2'?" in str(done.exception)
