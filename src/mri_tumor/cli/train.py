"""`mri-tumor train`."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mri_tumor.cli.configuring import config_option
from mri_tumor.cli.deciding import set_aside, tell_decisions
from mri_tumor.cli.helping import complete_backbones
from mri_tumor.cli.options import STRICT_FAILED, json_option, seed_option, write_json
from mri_tumor.cli.resuming import unfinished
from mri_tumor.cli.tables import show_evaluation
from mri_tumor.cli.trained import describe, keep

if TYPE_CHECKING:
    from mri_tumor.classifier import TumorClassifier
    from mri_tumor.data import Dataset
    from mri_tumor.evaluation import EvaluationReport


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("mri-tumor-model"),
    show_default=True,
    help="Folder for the model, its report and its figures; an older model there is replaced.",
)
@click.option("--task", type=click.Choice(["binary", "four"]), help="What to tell apart.")
@click.option(
    "--backbone",
    default="MobileNetV2",
    show_default=True,
    shell_complete=complete_backbones,
    help="Name of a backbone.",
)
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="imagenet, brain-mri, none, or the path of a weights file.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Most epochs of the head: 1 before fine-tuning, else 50, unless given.",
)
@click.option(
    "--finetune-epochs",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="0 trains the head alone.",
)
@click.option(
    "--finetune-layers", type=click.IntRange(min=1), help="Layers that fine-tuning opens."
)
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), default=1e-3, show_default=True
)
@click.option(
    "--finetune-learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=4e-4,
    show_default=True,
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option(
    "--strategy",
    type=click.Choice(["mirrored", "multi-worker"]),
    help="Share the training: with all graphics processors here, or with the machines that "
    "TF_CONFIG lists. Give all of them the same command; the first one writes.",
)
@click.option("--patience", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--class-weight", type=click.Choice(["balanced", "none"]), default="none")
@click.option("--focal-gamma", type=click.FloatRange(min=0), default=0.0, show_default=True)
@click.option(
    "--augmentation",
    type=click.Choice(["mixed", "standard", "robust", "none"]),
    default="mixed",
    show_default=True,
    help="standard varies the geometry; robust also what differs between hospitals; mixed half of each.",
)
@click.option(
    "--variants",
    "n_variants",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Variants of each image to train on: itself and augmented ones.",
)
@click.option(
    "--no-cache", is_flag=True, help="Draw fresh variants every epoch (many times slower)."
)
@click.option(
    "--sensitivity",
    type=click.FloatRange(0, 1),
    help="Sensitivity that the threshold keeps, at the best specificity.",
)
@click.option(
    "--specificity",
    type=click.FloatRange(0, 1),
    help="Specificity that it keeps instead. With neither, the mean of both is best.",
)
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Share of prediction sets that hold the true class.",
)
@click.option(
    "--split",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use the parts in this file, which `audit --split` wrote for the same images.",
)
@click.option(
    "--new-split", is_flag=True, help="Ignore Training and Testing folders; split by group."
)
@click.option(
    "--resume", is_flag=True, help="Go on with the training that was stopped in this output."
)
@click.option(
    "--strict",
    is_flag=True,
    help="Stop at unusable files, a split that leaks, or weights that saw the test images.",
)
@config_option
@seed_option
@json_option
def train(
    data: tuple[Path, ...],
    output: Path,
    task: str | None,
    weights: str,
    *,
    split: Path | None,
    new_split: bool,
    no_cache: bool,
    resume: bool,
    strict: bool,
    as_json: bool,
    seed: int,
    augmentation: str,
    class_weight: str,
    strategy: str | None,
    sensitivity: float | None,
    specificity: float | None,
    coverage: float,
    **settings: Any,
) -> int:
    """Train a model on a folder of images, measure it, and save it.

    DATA is a folder with one folder per class (glioma, meningioma, notumor, pituitary; or
    yes and no), with or without Training and Testing folders, or a CSV file with the columns
    path and label. Several are joined. What was learnt is kept after each epoch: a training
    that was stopped, or killed, goes on by the same command with --resume.

    \b
    Examples:
      mri-tumor train scans/
      mri-tumor train scans/ --task binary --output my-model --json
      mri-tumor train scans/ --sensitivity 0.98
      mri-tumor train --config train.toml scans/
    """
    if sensitivity is not None and specificity is not None:
        raise click.UsageError("Give --sensitivity or --specificity: a threshold keeps one.")
    if split is not None and new_split:
        raise click.UsageError("Give --split or --new-split, not both.")
    from mri_tumor.backbones import get_backbone
    from mri_tumor.backbones.building import weights_source
    from mri_tumor.bundle_writing import check_target
    from mri_tumor.data.loading import StrictError

    # What is mistyped is told before all images are read.
    weights_source(get_backbone(settings["backbone"]), None if weights == "none" else weights)
    check_target(output)
    from mri_tumor.framework import load_quietly, silent_stderr
    from mri_tumor.training.workers import is_chief, open_workers

    if strategy == "multi-worker":
        click.echo("Meeting the other workers.", err=True)
    # They can only meet before TensorFlow does anything else.
    with silent_stderr():
        open_workers(strategy)
    load_quietly()
    from mri_tumor.classifier import TumorClassifier
    from mri_tumor.reporting import describe_decisions

    started = time.perf_counter()
    try:
        parts = "new" if new_split else split or "given"
        dataset, notes = load(data, task=task, split=parts, strict=strict, seed=seed)
    except StrictError as error:
        click.echo(f"mri-tumor: {error}", err=True)
        return STRICT_FAILED
    _check_parts(dataset)
    if _tell_what_was_seen(weights, dataset) and strict:
        return STRICT_FAILED
    say = _speaker(as_json)
    say("\n".join([dataset.summary(), *(f"warning: {note}" for note in notes)]))
    choosing, calibration = set_aside(dataset.validation, seed=seed, say=say)
    classifier = TumorClassifier(
        weights=None if weights == "none" else weights,
        augmentation=None if augmentation == "none" else augmentation,
        class_weight=None if class_weight == "none" else class_weight,
        cache=not no_cache,
        seed=seed,
        strategy=strategy,
        verbose=1,
        **settings,
    )
    if not is_chief(strategy):
        classifier.fit(dataset.train, validation_data=choosing)
        say("This worker is done: the first one measures and saves the model.")
        return 0
    with unfinished(output, resume=resume) as kept:
        classifier.fit(dataset.train, validation_data=choosing, checkpoint=kept)
        classifier.verbose = 0
        if calibration is not None:
            classifier.calibrate(
                calibration, sensitivity=sensitivity, specificity=specificity, coverage=coverage
            )
        seconds = time.perf_counter() - started
        report = _measure(classifier, dataset)
        keep(classifier, report, dataset, output, seconds=seconds, calibration=calibration)
    if as_json:
        write_json(describe(classifier, report, dataset, output, seconds))
    else:
        show_evaluation(report)
        click.echo(tell_decisions(describe_decisions(classifier.rule_, report)))
        click.echo(f"\nTrained in {seconds:.0f} s. Saved in {output}. Use it:")
        click.echo(f"  mri-tumor predict scan.png --model {output}")
    return 0


def _tell_what_was_seen(weights: str, dataset: Dataset) -> bool:
    """Tell, before a training, if the weights that it starts from have seen images of the test."""
    from mri_tumor.data.overlap import SeenImages
    from mri_tumor.labelled import fingerprints, images_behind

    seen = SeenImages.from_dict(images_behind(weights)).overlap(fingerprints(dataset.test))
    if seen:
        click.echo(f"warning: {seen}", err=True)
    return bool(seen)


def _measure(classifier: TumorClassifier, dataset: Dataset) -> EvaluationReport:
    """Evaluate on the test part; what leaks into it is told by then."""
    from mri_tumor.data import LeakWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakWarning)
        return classifier.evaluate(dataset.test)


def _check_parts(dataset: Dataset) -> None:
    """Refuse parts that a model of the training part could not be measured on, before it trains."""
    from mri_tumor.errors import DataError
    from mri_tumor.labels import UNKNOWN_TUMOR

    if not len(dataset.test):
        raise DataError("the split has no test part. Add one, or use --new-split.")
    known = {*dataset.train.labels, UNKNOWN_TUMOR}
    for name, part in (("validation", dataset.validation), ("test", dataset.test)):
        if missing := sorted(set(part.labels) - known):
            message = (
                f"the class {missing[0]!r} is in the {name} part and has no image in the training "
                "part. Use --new-split, or leave the class out."
            )
            raise DataError(message)


def load(
    data: tuple[Path, ...], *, task: str | None, split: str | Path, strict: bool, seed: int
) -> tuple[Dataset, list[str]]:
    """Load the data set; its warnings come back as text."""
    from mri_tumor.data import load_dataset
    from mri_tumor.progress import progress_bar

    source: Any = list(data) if len(data) > 1 else data[0]
    with warnings.catch_warnings(record=True) as caught, progress_bar("Reading", None) as advance:
        warnings.simplefilter("always")
        seen = [0]

        def progress(done: int, _total: int) -> None:
            advance(done - seen[0], "")
            seen[0] = done

        dataset = load_dataset(
            source,
            task=task,
            split=split,
            seed=seed,
            strict=strict,
            progress=progress,
        )
    return dataset, [str(one.message) for one in caught if issubclass(one.category, UserWarning)]


def _speaker(as_json: bool) -> Any:
    """Return what writes a line for a person: standard error where JSON has the output."""

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    return say
