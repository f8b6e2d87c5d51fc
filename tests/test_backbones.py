"""The registry: names, plugins, and what can go wrong with them."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import keras
import pytest
from click.testing import CliRunner

from mri_tumor.backbones import (
    BackboneSpec,
    get_backbone,
    list_backbones,
    register_backbone,
    registry,
)
from mri_tumor.backbones.building import build_backbone, build_scaling
from mri_tumor.cli.main import commands
from mri_tumor.errors import BackboneError, WeightsError


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
    assert list_backbones()["mine"] == "this session"
    with pytest.raises(BackboneError, match="'mine' is taken by this session.*overwrite=True"):
        register_backbone(spec(input_size=96))
    with pytest.raises(BackboneError, match="'MobileNetV2' is taken by mri-tumor"):
        register_backbone(spec("MobileNetV2"), overwrite=True)


def test_a_cell_can_be_run_again():
    register_backbone(spec())
    register_backbone(spec())
    register_backbone(spec(input_size=96), overwrite=True)
    assert get_backbone("mine").input_size == 96


def test_a_name_tells_its_options():
    assert get_backbone("MobileNetV2").options == {"alpha": 1.0}
    half = get_backbone("MobileNetV2:alpha=0.5")
    assert half == get_backbone("MobileNetV2").with_options(alpha=0.5)
    assert (half.name, half.options, half.package) == (
        "MobileNetV2:alpha=0.5", {"alpha": 0.5}, "mri-tumor",
    )  # fmt: skip
    assert get_backbone(half.with_options(alpha=0.35).name).options == {"alpha": 0.35}


@pytest.mark.parametrize("value", [2, 0.5, True, None, "same"])
def test_an_option_of_any_plain_kind_survives_its_name(value):
    several = spec(options={"first": 1, "second": 2})
    register_backbone(several)
    changed = several.with_options(second=value).with_options(first=3)
    again = get_backbone(changed.name)
    assert again.options == {"first": 3, "second": value}
    assert type(again.options["second"]) is type(value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MobileNetV2:width=1", "no option width.*alpha"),
        ("EfficientNetB0:alpha=1", "no option alpha.*it has none"),
        ("MobileNetV2:alpha", "cannot be read at 'alpha'"),
        ("MobileNetV2:", "cannot be read at ''"),
        ("MobileNetV9:alpha=1", "no backbone named 'MobileNetV9'"),
    ],
)
def test_options_that_are_not_understood_are_named(name, message):
    with pytest.raises(BackboneError, match=message):
        get_backbone(name)


def test_a_name_may_not_look_like_one_with_options(monkeypatch):
    with pytest.raises(BackboneError, match="'a:b' of this session must hold no ':'"):
        register_backbone(spec("a:b"))


def test_what_a_saved_model_lacks_is_named_with_its_package():
    stand_in = registry.absent_backbone("Gone", package="mri-tumor-gone", finetune_layers=7)
    assert stand_in.finetune_layers == 7
    for ask in (lambda: get_backbone("Gone"), lambda: build_backbone(
        stand_in, input_size=32, weights=None
    )):  # fmt: skip
        with pytest.raises(BackboneError, match="'Gone'.*pip install mri-tumor-gone"):
            ask()
    registry.absent_backbone("Here", package="this session")
    with pytest.raises(BackboneError, match="'Here'.*registered by hand.*register_backbone"):
        get_backbone("Here")


def install(folder, *, package, name, module, source):
    """Put a distribution with an entry point on disk, as an installer does."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mri_tumor.backbones]\n{name} = {module}:SPEC\n")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_plugin_that_fails_to_import_is_named_with_its_package(place):
    source = "raise RuntimeError('no such accelerator')"
    install(place, package="broken-nets", name="Broken", module="broken_nets", source=source)
    assert list_backbones()["Broken"] == "broken-nets"
    with pytest.raises(
        BackboneError, match="'Broken' of package 'broken-nets'.*RuntimeError: no such accelerator"
    ):
        get_backbone("Broken")
    get_backbone("MobileNetV2")
    result = CliRunner().invoke(commands, ["backbones"], standalone_mode=False)
    assert "no such accelerator" in result.output
    assert "MobileNetV2" in result.output


def test_two_installed_packages_with_one_name_are_both_named(place):
    for number in (1, 2):
        install(place, package=f"nets-{number}", name="Twice", module=f"nets_{number}", source="")
    assert list_backbones()["Twice"] == "nets-1, nets-2"
    with pytest.raises(BackboneError, match="nets-1, nets-2"):
        get_backbone("Twice")
    with pytest.raises(BackboneError, match="taken by nets-1, nets-2"):
        register_backbone(spec("Twice"))


class Foreign(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def network(*layers, shape=(32, 32, 3)):
    image = values = keras.Input(shape)
    for layer in layers:
        values = layer(values)
    return keras.Model(image, values)


def two_outputs():
    image = keras.Input((32, 32, 3))
    return keras.Model(image, [keras.layers.Conv2D(4, 3)(image), keras.layers.Conv2D(4, 3)(image)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, r"must return a keras\.Model. Received: None"),
        (lambda: network(keras.layers.GlobalAveragePooling2D()), r"feature map.*\(None, 3\)"),
        (two_outputs, r"one feature map.*\(None, 30, 30, 4\), \(None, 30, 30, 4\)"),
        (
            lambda: network(keras.layers.Conv2D(4, 3), shape=(64, 64, 3)),
            r"one input of shape \(n, 32, 32, 3\).*64, 64",
        ),
        (lambda: network(keras.layers.Lambda(lambda x: x)), "may not hold.*Lambda"),
        (lambda: network(Foreign()), "may not hold.*Foreign"),
        (lambda: 1 / 0, "could not be built.*ZeroDivisionError"),
    ],
)
def test_a_network_that_cannot_carry_a_classifier_is_refused(make, message):
    mine = spec(builder=lambda *_: make(), package="mri-tumor-other")
    with pytest.raises(BackboneError, match=f"'mine' of package 'mri-tumor-other'.*{message}"):
        build_backbone(mine, input_size=32, weights=None)


def test_a_network_of_any_input_size_will_do():
    mine = spec(builder=lambda *_: network(keras.layers.Conv2D(4, 3), shape=(None, None, 3)))
    build_backbone(mine, input_size=32, weights=None)


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        (lambda: [keras.layers.Lambda(lambda x: x / 255)], "may not hold.*Lambda"),
        (lambda: [abs], "list of Keras layers.*abs"),
        (lambda: 1 / 0, "scaling failed.*ZeroDivisionError"),
    ],
)
def test_scaling_that_cannot_be_saved_is_refused(scaling, message):
    with pytest.raises(BackboneError, match=message):
        build_scaling(spec(scaling=scaling))


def test_weights_that_nobody_trained_say_so():
    with pytest.raises(WeightsError, match=r"alpha=1\.0.*alpha=0\.5"):
        build_backbone(get_backbone("MobileNetV2:alpha=0.5"), input_size=96, weights="brain-mri")
    with pytest.raises(WeightsError, match=r"do not fit MobileNetV2:alpha=0\.6.*alpha"):
        build_backbone(get_backbone("MobileNetV2:alpha=0.6"), input_size=96, weights="imagenet")


def test_an_error_of_the_librarys_own_kind_goes_through_as_it_is():
    def build(*_):
        raise WeightsError("the package that brings the weights is missing")

    with pytest.raises(WeightsError, match="^the package that brings"):
        build_backbone(spec(builder=build), input_size=32, weights="imagenet")


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


def test_what_a_builder_prints_is_not_among_the_rows_of_a_command(capsys):
    def talkative(input_shape, _weights):
        print("Downloading data from https://example.org")
        return keras.Sequential([keras.Input(input_shape), keras.layers.Conv2D(4, 3)])

    build_backbone(spec(builder=talkative), input_size=32, weights=None)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Downloading" in printed.err
