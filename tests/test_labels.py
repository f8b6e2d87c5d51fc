"""Names of classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.labels import (
    BINARY,
    FOUR,
    canonical_label,
    explain_names,
    infer_classes,
    infer_task,
    map_names,
    require_known,
    to_task,
)


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("notumor", "no|NO|No (Tumor)|no_tumor|no-tumor|NoTumor|notumor|healthy|Normal|negative"),
        ("notumor", "non-tumor|without tumour|tumor-free|Healthy Brain|1_notumor|no cancer"),
        ("tumor", "yes|YES|Yes (Tumor)|tumor|Tumour|tumors|positive|Brain_Tumor|cancer"),
        ("glioma", "glioma|Glioma|glioma_tumor|GliomaTumor|brain_glioma|2-glioma|glioblastoma"),
        ("meningioma", "meningioma|meningioma_tumor|Brain_Menin|Meningioma tumour"),
        ("pituitary", "pituitary|pituitary_tumor|Pituitary adenoma|pituitary tumour"),
        (None, "Training|Testing|0|1|images|nan||glioma no|not glioma|schwannoma|T1|glioma edema"),
        (None, "glioma_meningioma|no_contrast|no_enhancement"),
    ],
)
def test_names_of_published_data_sets(label, names):
    assert {name: canonical_label(name) for name in names.split("|")} == dict.fromkeys(
        names.split("|"), label
    )


def test_canonical_labels_map_to_themselves():
    assert [canonical_label(name) for name in FOUR] == list(FOUR)
    assert [canonical_label(name) for name in BINARY] == list(BINARY)


@given(st.text())
def test_any_name_gets_a_canonical_label_or_none(name):
    assert canonical_label(name) in {*FOUR, *BINARY, None}
    assert canonical_label(name) == canonical_label(f"  {name} ")


def test_zero_and_one_are_read_only_where_nothing_else_occurs():
    assert map_names([0, 1, 1]) == {"0": "notumor", "1": "tumor"}
    assert map_names(["1", "2"]) == {"1": None, "2": None}


def test_own_class_sets():
    assert map_names(["no", "schwannoma"]) == {"no": "notumor", "schwannoma": None}
    assert map_names(["no", "schwannoma"], negative_class="notumor") == {
        "no": "notumor",
        "schwannoma": "schwannoma",
    }
    assert map_names(["no", "Yes"], negative_class="no") == {"Yes": "Yes", "no": "no"}


def test_task_follows_the_labels():
    assert infer_task(["notumor", "tumor"]) == "binary"
    assert infer_task(["notumor", "tumor", "glioma"]) == "four"
    assert [to_task(label, "binary") for label in FOUR] == ["tumor", "tumor", "notumor", "tumor"]
    with pytest.raises(ParameterError, match="'binary' or 'four'"):
        to_task("glioma", "three")


def test_classes():
    assert infer_classes(["tumor", "notumor"], "binary") == BINARY
    assert infer_classes([*FOUR, "tumor"], "four") == FOUR
    # The negative class comes first in binary, whatever it is called.
    assert infer_classes(["a", "z"], "custom", negative_class="z") == ("z", "a")


def test_mapping_is_told_in_words():
    assert explain_names({"no": "notumor", "tumor": "tumor"}) == "'no' -> notumor"


def test_label_that_a_model_does_not_know():
    require_known(["glioma", "tumor"], FOUR)
    with pytest.raises(DataError, match="'schwannoma' is not one of the model's classes"):
        require_known(["schwannoma"], FOUR)
