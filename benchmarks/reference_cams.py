"""Make the reference maps of tests/explain/reference_cams.json with pytorch-grad-cam.

Run once in an environment of its own, which this project does not need otherwise:

    pip install torch==2.13.0 numpy opencv-python-headless scikit-learn tqdm matplotlib ttach
    pip install --no-deps grad-cam==1.5.7
    python benchmarks/reference_cams.py > tests/explain/reference_cams.json

Network, weights and image come from sines, so the test builds the same in Keras. Maps are taken
before the other library's own stretching to [0, 1] (which subtracts the minimum), and divided by
their maximum. Score-CAM is compared at the input's own size, because the other library enlarges
with its corners aligned, which shifts a coarse map against the image. Eigen-CAM is left out:
the other library centres the channels first, the paper does not.
"""

import json
import sys
import types

import numpy as np
import torch
from torch import nn

# Its imports ask for torchvision, of which nothing here is used.
for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
    module = types.ModuleType(name)
    module.Compose = module.Normalize = module.ToTensor = module.resize = None
    sys.modules[name] = module

from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

TARGET = 2


def wave(*shape, phase):
    """Sines in Keras' order of axes, which the test repeats."""
    return (0.4 * np.sin(1.7 * np.arange(np.prod(shape)) + phase)).reshape(shape)


def image():
    return 100 * (1 + np.sin(0.37 * np.arange(12 * 12 * 3).reshape(1, 12, 12, 3) ** 1.2))


class Net(nn.Module):
    """Convolution, pooling, convolution, then one weight per cell and channel: no global pooling."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.second = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU())
        self.last = nn.Linear(6 * 6 * 6, 3)
        kernels = {
            "first.0": wave(3, 3, 3, 4, phase=0.0).transpose(3, 2, 0, 1),
            "second.1": wave(3, 3, 4, 6, phase=1.0).transpose(3, 2, 0, 1),
            # Keras flattens (row, column, channel), PyTorch (channel, row, column).
            "last": wave(6, 6, 6, 3, phase=2.0).transpose(3, 2, 0, 1).reshape(3, -1),
        }
        biases = {
            "first.0": wave(4, phase=3.0),
            "second.1": wave(6, phase=4.0),
            "last": np.zeros(3),
        }
        state = {f"{key}.weight": torch.tensor(value) for key, value in kernels.items()}
        state |= {f"{key}.bias": torch.tensor(value) for key, value in biases.items()}
        self.load_state_dict(state)

    def forward(self, images):
        """Return the logits."""
        return self.last(self.second(self.first(images / 255)).flatten(1))


def raw_map(kind, model, layer, inputs):
    """Return a map before it is stretched or resized, divided by its maximum."""
    cam = kind(model=model, target_layers=[layer])
    kept = []
    inner = cam.get_cam_image
    cam.get_cam_image = lambda *a, **k: kept.append(inner(*a, **k)) or kept[-1]
    cam(input_tensor=inputs, targets=[ClassifierOutputTarget(TARGET)])
    values = np.maximum(kept[0][0], 0)
    return np.round((values / values.max()).astype(float), 5).tolist()


def main():
    model = Net().eval()
    inputs = torch.tensor(image().transpose(0, 3, 1, 2).astype(np.float32))
    maps = {
        kind.__name__: raw_map(kind, model, layer, inputs)
        for kind, layer in (
            (GradCAM, model.second),
            (GradCAMPlusPlus, model.second),
            (HiResCAM, model.second),
            (LayerCAM, model.second),
            (ScoreCAM, model.first),
        )
    }
    inputs.requires_grad_(requires_grad=True)
    model(inputs)[0, TARGET].backward()
    slopes = inputs.grad[0].abs().amax(0).numpy()
    maps["saliency"] = np.round((slopes / slopes.max()).astype(float), 5).tolist()
    made = f"benchmarks/reference_cams.py, torch {torch.__version__}, grad-cam 1.5.7"
    print(json.dumps({"made_with": made, "logits": model(inputs)[0].tolist(), "maps": maps}))


if __name__ == "__main__":
    main()
