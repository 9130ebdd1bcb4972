"""The released U-Net of VUAD and RRWNet, written anew in PyTorch under the published names.

The authors' code is not bundled. Layers, names (each convolution has two), order of concatenation
and activation follow it.
"""

import torch
from torch import nn


class ConvBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_block = nn.Sequential(self.conv1, nn.ReLU(), self.conv2, nn.ReLU())

    def forward(self, x):
        return self.conv_block(x)


class UpConv(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.conv_block = nn.Sequential(self.conv)

    def forward(self, x):
        return self.conv_block(x)


class UNet(nn.Module):
    def __init__(self, inputs, outputs, base):
        super().__init__()
        widths = [base * 2**i for i in range(5)]
        for i, (a, b) in enumerate(zip([inputs, *widths], widths, strict=False), 1):
            setattr(self, f"conv{i}", ConvBlock(a, b))
        for i, width in enumerate(reversed(widths[:-1]), 1):
            setattr(self, f"upconv{i}", UpConv(2 * width, width))
            setattr(self, f"conv{5 + i}", ConvBlock(2 * width, width))
        self.outconv = nn.Conv2d(base, outputs, 1)

    def forward(self, x):
        kept = []
        for i in range(1, 6):
            x = nn.functional.max_pool2d(x, 2) if i > 1 else x
            x = getattr(self, f"conv{i}")(x)
            kept.append(x)
        for i in range(1, 5):
            x = getattr(self, f"upconv{i}")(x)
            x = getattr(self, f"conv{5 + i}")(torch.cat([kept[4 - i], x], 1))
        return self.outconv(x)


class RRWNet(nn.Module):
    def __init__(self, inputs, base, iterations):
        super().__init__()
        self.first_u, self.second_u = UNet(inputs, 3, base), UNet(3, 2, base)
        self.iterations = iterations

    def forward(self, x):
        first = self.first_u(x)
        vessel = first[:, 2:]
        found = [first]
        two = self.second_u(torch.sigmoid(first))
        found.append(torch.cat([two, vessel], 1))
        for _ in range(self.iterations):
            two = self.second_u(torch.cat([torch.sigmoid(two), torch.sigmoid(vessel)], 1))
            found.append(torch.cat([two, vessel], 1))
        return found
