"""The registry: names, plugins, and what can go wrong with them."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from mri_tumor.backbones import (
    BackboneSpec,
    get_backbone,
    list_backbones,
    register_backbone,
    registry,
)
from mri_tumor.errors import BackboneError


def spec(name="mine", **changes):
    values = {"name": name, "builder": print, "scaling": list, **changes}
    return BackboneSpec(**values)


@pytest.fixture(autouse=True)
def forget():
    yield
    registry.unregister_backbone("mine")


def test_the_built_in_ones_come_through_entry_points():
    assert list_backbones()["MobileNetV2"] == "mri-tumor"
    assert get_backbone("EfficientNetB0").package == "mri-tumor"


def test_listing_imports_no_plugin():
    code = (
        "import sys; from mri_tumor.backbones import list_backbones; list_backbones();"
        "print(any(name.startswith('mri_tumor.backbones.') and 'net' in name"
        " for name in sys.modules), 'keras' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_an_unknown_name_lists_what_there_is_and_the_nearest():
    with pytest.raises(BackboneError, match="Did you mean 'MobileNetV2'.*EfficientNetB0"):
        get_backbone("mobilenetv3")


def test_registering_gives_a_name_and_a_taken_one_is_refused():
    register_backbone(spec())
    assert get_backbone("mine").package == "this session"
    with pytest.raises(BackboneError, match="'mine' is taken by this session"):
        register_backbone(spec(input_size=96))
    with pytest.raises(BackboneError, match="'MobileNetV2' is taken by mri-tumor"):
        register_backbone(spec("MobileNetV2"))


def test_a_plugin_that_breaks_is_named_when_it_is_used(monkeypatch):
    entry = EntryPoint("broken", "no_such_package_at_all:SPEC", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **_: [entry])
    assert "broken" in list_backbones()
    with pytest.raises(BackboneError, match="'broken'.*ModuleNotFoundError.*no_such_package"):
        get_backbone("broken")


def test_an_entry_point_must_name_a_spec_of_its_name(monkeypatch):
    entry = EntryPoint("other", "mri_tumor.backbones.mobilenet:MOBILENET_V2", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **_: [entry])
    with pytest.raises(BackboneError, match="'other'"):
        get_backbone("other")


def test_two_packages_with_one_name_are_both_named(monkeypatch):
    entries = [EntryPoint("twice", f"package_{i}:SPEC", registry.GROUP) for i in range(2)]
    monkeypatch.setattr(registry, "entry_points", lambda **_: entries)
    with pytest.raises(BackboneError, match="more than one package"):
        get_backbone("twice")


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"input_size": 0}, {"finetune_layers": 0}, {"builder": None}]
)
def test_a_spec_that_cannot_work_is_refused(wrong):
    with pytest.raises(BackboneError, match=next(iter(wrong))):
        spec(**wrong)
