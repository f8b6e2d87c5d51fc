"""MobileNetV2 in PyTorch with random weights: for its speed, which weights do not change.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2.
arXiv:1801.04381. Batch normalisation is folded into the convolutions, as for predicting it should be.
"""

import torch
from torch import nn

# Expansion, channels, repeats, stride of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def convolution(before, after, side=1, stride=1, groups=1, *, active=True):
    layers = [nn.Conv2d(before, after, side, stride, side // 2, groups=groups)]
    return nn.Sequential(*layers, nn.ReLU6()) if active else layers[0]


class Block(nn.Module):
    """Widen, filter each channel, narrow; and add what came in where it has the same shape."""

    def __init__(self, before, after, *, expansion, stride):
        super().__init__()
        wide = before * expansion
        self.adds = stride == 1 and before == after
        self.layers = nn.Sequential(
            convolution(before, wide) if expansion > 1 else nn.Identity(),
            convolution(wide, wide, 3, stride, groups=wide),
            convolution(wide, after, active=False),
        )

    def forward(self, values):
        """Return the features that follow."""
        found = self.layers(values)
        return values + found if self.adds else found


def mobilenet(n_classes=4):
    """Return the network, ready for images of shape (n, 3, 224, 224) in channels-last order."""
    layers, before = [convolution(3, 32, 3, 2)], 32
    for expansion, after, repeats, stride in STAGES:
        for i in range(repeats):
            layers.append(Block(before, after, expansion=expansion, stride=stride if not i else 1))
            before = after
    layers += [convolution(before, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers += [nn.Linear(1280, 128), nn.ReLU(), nn.Linear(128, n_classes), nn.Softmax(1)]
    model = nn.Sequential(*layers).eval()
    return model.to(memory_format=torch.channels_last)
