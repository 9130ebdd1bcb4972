"""EFIQA-CP's network written anew in PyTorch under the published names.

The authors' code is not bundled. Layers, names and initial values follow it.
"""

import torch
from torch import nn


class LayerNorm2d(nn.Module):
    """Over the channels of every place."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    def __init__(self, width, ratio):
        super().__init__()
        self.dw = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = LayerNorm2d(width)
        self.pw1 = nn.Conv2d(width, ratio * width, 1)
        self.pw2 = nn.Conv2d(ratio * width, width, 1)
        self.gamma = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, x):
        hidden = nn.functional.gelu(self.pw1(self.norm(self.dw(x))))
        return x + self.gamma * self.pw2(hidden)


class Down(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = LayerNorm2d(width)
        self.conv = nn.Conv2d(width, width, 2, stride=2)

    def forward(self, x):
        return self.conv(self.norm(x))


class EfiqaCP(nn.Module):
    def __init__(self, channels=1024, width=512, ratio=1):
        super().__init__()
        self.stem = nn.Sequential(LayerNorm2d(channels), nn.Conv2d(channels, width, 1))
        self.stage1 = nn.Sequential(Block(width, ratio), Block(width, ratio))
        self.down1 = Down(width)
        self.stage2 = nn.Sequential(Block(width, ratio), Block(width, ratio))
        self.down2 = Down(width)
        self.stage3 = Block(width, ratio)
        self.head = nn.Sequential(LayerNorm2d(width), nn.Conv2d(width, 1, 1))

    def forward(self, x):
        x = self.stage1(self.stem(x))
        x = self.stage2(self.down1(x))
        return self.head(self.stage3(self.down2(x)))


class Wrapped(nn.Module):
    """As it is saved: every name begins with `model.`."""

    def __init__(self, **sizes):
        super().__init__()
        self.model = EfiqaCP(**sizes)

    def forward(self, x):
        return self.model(x)
