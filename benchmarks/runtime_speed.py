"""Set the runtime beside plain Keras: one image, a folder, a whole process, a heatmap.

    python benchmarks/runtime_speed.py [--model brain-mri] [--images FOLDER] [--count 256]
        [--rounds 5] [--output runtime_speed.json]

All ways run in turn within each round, so that a busy machine slows all alike; medians and their
ratios are reported. Phantoms serve where no folder of images is given and the real ones are absent.
The networks in 8 bits are made here, calibrated on other images than those that are timed, and are
not refused: their agreement is in the result. "by hand" is what one would write around ONNX Runtime,
and around PyTorch where it is installed.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

IN_A_ROW = 20
REAL = Path(__file__).resolve().parents[2] / "shared/data/brain-tumor-mri/Training"

KERAS_PROCESS = """
import sys, numpy as np, keras
model = keras.saving.load_model(sys.argv[1] + "/model.keras", compile=False)
size = model.input_shape[1]
image = keras.utils.load_img(sys.argv[2], target_size=(size, size))
print(model.predict(np.asarray(image, "float32")[None], verbose=0))
"""
RUNTIME_PROCESS = """
import sys
from mri_tumor import runtime
print(runtime.load(sys.argv[1]).predict_proba([sys.argv[2]]))
"""
# What `resource` says of a child includes the process that it was forked from.
PEAK = """
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="brain-mri")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--calibration", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    print(json.dumps(result, indent=2))
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n")


def measure(options, folder):
    files, others, what = pictures(options, folder)
    whole, small, others_of, about = models(options.model, others, folder)
    from mri_tumor import runtime

    quick = {"fp32": runtime.load(whole), "int8": runtime.load(small)}
    for name, (bundle, engine) in others_of.items():
        quick[name] = runtime.load(bundle, engine=engine)
    model = keras_model(whole)
    ways = {
        "one image, ms": one_image(model, quick, files[0]),
        "folder, ms per image": folder_of(model, quick, files, others_of),
        "Grad-CAM, ms per image": heatmaps(model, quick, files[:32]),
    }
    figures = {}
    for name, (scale, runs) in ways.items():
        figures[name] = compare(runs, options.rounds, scale)
        print(name, json.dumps(figures[name]), file=sys.stderr, flush=True)
    figures["floor"] = floor(model, figures["one image, ms"]["runtime fp32"]["median"])
    figures["process"] = processes(whole, small, files[0], max(2, options.rounds // 2))
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "load_average": os.getloadavg()[0],
        "versions": {
            name: version(name)
            for name in ("mri-tumor", "keras", "tensorflow", "ai-edge-litert", "numpy", "pillow")
        },
        "images": {"what": what, "count": len(files)},
        "models": about,
        "figures": figures,
    }


def pictures(options, folder):
    """Return files to time, files to calibrate with, and what they are."""
    import numpy as np

    from mri_tumor.images.listing import list_images

    source = options.images or (REAL if REAL.is_dir() else None)
    if source is None:
        from mri_tumor.phantoms import make_phantoms

        count = options.count + options.calibration
        paths, what = make_phantoms(count, folder=folder / "phantoms").paths, "phantoms"
    else:
        paths, what = list(list_images(source)), source.name
    order = np.random.default_rng(0).permutation(len(paths))
    chosen = [str(paths[i]) for i in order[: options.count + options.calibration]]
    return chosen[: options.count], chosen[options.count :], what


def models(name, calibration, folder):
    """Return a bundle with its runtime file, an int8 export, and what they are like."""
    import shutil

    from mri_tumor.bundle import find_bundle, read_bundle
    from mri_tumor.export import add_runtime, export_model

    whole = Path(shutil.copytree(find_bundle(name), folder / "whole"))
    if "litert" not in read_bundle(whole).metadata.get("runtimes", {}):
        add_runtime(whole)
    small = export_model(
        whole, folder / "int8", format="litert-int8", calibration=calibration, max_changed=1.0
    )
    fine = export_model(whole, folder / "fp32", calibration=calibration, max_changed=1.0)
    about = {"fp32": fine.to_dict(), "int8": small.to_dict()}
    engines = {}
    if find_spec("onnxruntime") and find_spec("tf2onnx"):
        for kind in ("onnx", "onnx-int8"):
            made = export_model(
                whole, folder / kind, format=kind, calibration=calibration, max_changed=1.0
            )
            about[kind], engines[kind] = made.to_dict(), (made.path, kind)
    if find_spec("openvino"):
        engines["openvino"] = (whole, "openvino")
        if "onnx-int8" in engines:
            engines["openvino-int8"] = (engines["onnx-int8"][0], "openvino-int8")
    for entry in about.values():
        del entry["path"]
    return whole, small.path, engines, about


def keras_model(bundle):
    import keras

    return keras.saving.load_model(bundle / "model.keras", compile=False)


def one_image(model, quick, file):
    """From the prepared input to the network's answer, and from the file to a whole answer.

    Each is asked several times in a row, as a service would be: what another network left in the
    processor's caches is not what is measured.
    """
    import numpy as np

    from mri_tumor.images.preprocessing import preprocess
    from mri_tumor.images.reading import read_image

    values, _ = preprocess(read_image(file), quick["fp32"].preprocessing_)
    batch = values[None].astype(np.float32)
    runs = {"keras predict": lambda: model.predict(batch, verbose=0)}
    for name, one in quick.items():
        runs[f"runtime {name}"] = lambda one=one: one._network(batch)
        if name in ("fp32", "int8"):
            runs[f"runtime {name}, from the file"] = lambda one=one: one.predict_proba([file])
    return 1e3 / IN_A_ROW, {name: repeated(run) for name, run in runs.items()}


def floor(model, found):
    """Return how long the network's multiplications alone would take at the peak of this machine."""
    import numpy as np

    from mri_tumor.benchmark.multiply_adds import count_multiply_adds

    side, seconds = 1536, []
    matrix = np.random.default_rng(0).random((side, side), np.float32)
    for _ in range(30):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    peak = 2 * side**3 / min(seconds)
    least = 2e3 * count_multiply_adds(model) / peak
    return {"GFLOP per second": peak / 1e9, "ms": least, "fp32 over it": found / least}


def repeated(run):
    def several():
        for _ in range(IN_A_ROW):
            run()

    return several


def folder_of(model, quick, files, others_of):
    import numpy as np
    import tensorflow as tf
    from PIL import Image

    size = model.input_shape[1]

    def load(path):
        image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        return tf.image.resize(image, (size, size))

    def keras_predict():
        data = tf.data.Dataset.from_tensor_slices(files)
        data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(32)
        model.predict(data.prefetch(tf.data.AUTOTUNE), verbose=0)

    runs = {"keras predict": keras_predict}
    if "onnx" in others_of:
        import onnxruntime

        session = onnxruntime.InferenceSession(others_of["onnx"][0] / "model.onnx")
        entry = session.get_inputs()[0].name

        def by_hand():
            for start in range(0, len(files), 32):
                images = [
                    Image.open(file).convert("RGB").resize((size, size))
                    for file in files[start : start + 32]
                ]
                session.run(None, {entry: np.stack(images).astype("float32")})

        runs["onnx by hand"] = by_hand
    if find_spec("torch"):
        runs["torch by hand"] = torch_by_hand(files, size)
    for name, one in quick.items():
        runs[f"runtime {name}"] = lambda one=one: one.predict(files)
    return 1e3 / len(files), runs


def torch_by_hand(files, size):
    """Answer batch after batch with the same network, of other weights."""
    import numpy as np
    import torch
    from PIL import Image
    from torch_mobilenet import mobilenet

    model = mobilenet()

    def run():
        with torch.inference_mode():
            for start in range(0, len(files), 32):
                images = [
                    Image.open(file).convert("RGB").resize((size, size))
                    for file in files[start : start + 32]
                ]
                batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
                model(batch.contiguous(memory_format=torch.channels_last) / 127.5 - 1)

    return run


def heatmaps(model, quick, files):
    """Keras' own example takes one image and one tape at a time."""
    import keras
    import numpy as np
    import tensorflow as tf

    from mri_tumor.images.preprocessing import preprocess
    from mri_tumor.images.reading import read_image

    settings = quick["fp32"].preprocessing_
    values = [preprocess(read_image(file), settings)[0].astype(np.float32) for file in files]
    both = keras.Model(model.input, [model.get_layer("feature_map").output, model.output])

    def example():
        for one in values:
            with tf.GradientTape() as tape:
                maps, outputs = both(one[None])
                score = outputs[:, int(tf.argmax(outputs[0]))]
            weights = tf.reduce_mean(tape.gradient(score, maps), axis=(0, 1, 2))
            heat = tf.maximum(tf.squeeze(maps[0] @ weights[..., None]), 0)
            (heat / tf.reduce_max(heat)).numpy()

    runs = {"keras example": example}
    for name, one in quick.items():
        runs[f"runtime {name}"] = lambda one=one: one.explain(
            files, target=None, method="grad_cam"
        )
    return 1e3 / len(files), runs


def compare(runs, rounds, scale):
    times = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:  # the first round warms up
                times[name].append((time.perf_counter() - start) * scale)
    return summary(times)


def summary(times):
    medians = {name: statistics.median(values) for name, values in times.items()}
    first = next(iter(medians.values()))
    return {
        name: {"median": round(value, 3), "times as quick": round(first / value, 1)}
        for name, value in medians.items()
    }


def processes(whole, small, file, rounds):
    """Load and answer one image in a process of its own: seconds, and peak memory in MB."""
    commands = {
        "keras predict": (KERAS_PROCESS, whole),
        "runtime fp32": (RUNTIME_PROCESS, whole),
        "runtime int8": (RUNTIME_PROCESS, small),
    }
    seconds = {name: [] for name in commands}
    memory = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (code, bundle) in commands.items():
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", code + PEAK, str(bundle), file],
                capture_output=True,
                text=True,
                check=True,
            )
            seconds[name].append(time.perf_counter() - start)
            memory[name].append(int(done.stdout.split()[-1]) / 1024)
    return {"seconds": summary(seconds), "peak memory, MB": summary(memory)}


if __name__ == "__main__":
    main()
