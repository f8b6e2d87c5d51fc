"""The whole way on synthetic images: what `mri-tumor demo` runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.assessment import NOTICE
from mri_tumor.classifier import TumorClassifier
from mri_tumor.data import load_dataset
from mri_tumor.errors import ParameterError
from mri_tumor.phantoms import make_phantoms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mri_tumor.assessment import Assessment
    from mri_tumor.data import Dataset
    from mri_tumor.evaluation import EvaluationReport

# Images of each class whose answers, and heatmaps, are shown.
_OF_EACH = 2


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Parameters
    ----------
    folder : Path
        Where everything lies.
    model : Path
        The saved model.
    report : EvaluationReport
        Figures on the test part of the synthetic images.
    figures : tuple of Path
        Pictures.
    seconds : float
        How long it took.
    """

    folder: Path
    model: Path
    report: EvaluationReport
    figures: tuple[Path, ...]
    seconds: float


def run_demo(
    folder: Path,
    *,
    n_images: int = 320,
    epochs: int = 30,
    finetune_epochs: int = 4,
    seed: int = 0,
    say: Callable[[str], Any] = lambda _text: None,
) -> DemoResult:
    """Draw synthetic slices, train on them, and leave everything in a folder.

    Needs no network and no data: it starts from the weights that ship with the library.

    Parameters
    ----------
    folder : Path
        Folder to fill; must be new or empty.
    n_images : int, default=320
        Synthetic images to draw.
    epochs, finetune_epochs : int
        Most epochs of the two stages.
    seed : int, default=0
        Seed of all chance.
    say : callable, optional
        Told each step, in words.

    Returns
    -------
    DemoResult
        Where things are, and the figures.

    Raises
    ------
    ParameterError
        If the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder}: is there already. Choose a new folder with --output."
        raise ParameterError(message)
    started = time.perf_counter()
    say(f"1/6 Drawing {n_images} synthetic slices (no real scan is involved)")
    make_phantoms(n_images, folder=folder / "synthetic-images", seed=seed)
    dataset = load_dataset(folder / "synthetic-images", seed=seed)
    say(dataset.summary())

    say("\n2/6 fit: training a head on the frozen backbone")
    classifier = TumorClassifier(
        weights="brain-mri",
        epochs=epochs,
        learning_rate=1e-3,
        finetune_learning_rate=3e-4,
        n_variants=4,
        seed=seed,
        verbose=1,
    )
    classifier.fit(dataset.train, validation_data=dataset.validation)
    say("3/6 finetune: opening the last layers of the backbone")
    classifier.finetune(dataset.train, validation_data=dataset.validation, epochs=finetune_epochs)
    classifier.verbose = 0

    say("4/6 evaluate: figures on images that were held back")
    report = classifier.evaluate(dataset.test)
    say(str(report))

    say("\n5/6 predict and explain")
    shown = dataset.test.subset(_some_of_each(dataset.test.labels))
    rows = classifier.assess(shown.paths)
    for row, label in zip(rows, shown.labels, strict=True):
        name = f"{label}/{Path(row.file).name}"
        say(f"  {name}: {row.label}, P(tumour) = {row.tumor_probability:.3f}")

    say("6/6 Saving the model and the figures")
    model, figures = _keep(classifier, report, shown, rows, folder)
    seconds = time.perf_counter() - started
    say(f"\nDone in {seconds:.0f} s. Everything is in {folder}.")
    say(f"These images are synthetic: the figures say nothing about real scans. {NOTICE}")
    return DemoResult(folder, model, report, figures, seconds)


def _some_of_each(labels: Sequence[str]) -> list[int]:
    """Return the positions of the first images of each class."""
    names = np.array(labels)
    return [int(i) for name in np.unique(names) for i in np.flatnonzero(names == name)[:_OF_EACH]]


def _keep(
    classifier: TumorClassifier,
    report: EvaluationReport,
    shown: Dataset,
    rows: Sequence[Assessment],
    folder: Path,
) -> tuple[Path, tuple[Path, ...]]:
    """Save model and figures; return their places."""
    from PIL import Image

    from mri_tumor.explain.sheets import sheet
    from mri_tumor.figures import training_figures

    classifier.metrics_ = report.to_dict()
    model = classifier.save(folder / "model")
    pictures = training_figures(classifier.history_, report)
    paths = []
    for name, content in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        paths.append(path)
    tumors = [i for i, label in enumerate(shown.labels) if label != "notumor"]
    captions = [
        f"{shown.labels[i]}: called {rows[i].label}, P(tumour) {rows[i].tumor_probability:.2f}"
        for i in tumors
    ]
    heatmaps = classifier.explain(shown.subset(tumors))
    path = folder / "figures" / "heatmaps.png"
    Image.fromarray(sheet(heatmaps, captions=captions)).save(path)
    return model, (*paths, path)
