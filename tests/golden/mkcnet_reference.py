"""MKCNet's networks in PyTorch, under the names of the released state dicts.

Written anew after the description of the released layout (attention after the map is averaged to
one place, every branch averaged again, joint labels masked by 1 and 1e-8); `base` scales its 64
channels.
"""

import torch
from torch import nn

CONVOLUTIONS = (2, 2, 3, 3, 3)


class Trunk(nn.Module):
    def __init__(self, base, colours):
        super().__init__()
        before = colours
        for k, (times, count) in enumerate(zip((1, 2, 4, 8, 8), CONVOLUTIONS, strict=True)):
            layers = []
            for _ in range(count):
                layers += [nn.Conv2d(before, base * times, 3, padding=1)]
                layers += [nn.BatchNorm2d(base * times), nn.ReLU()]
                before = base * times
            layers.append(nn.MaxPool2d(2))
            setattr(self, f"block{k + 1}", nn.Sequential(*layers))

    def forward(self, x):
        for k in range(5):
            x = getattr(self, f"block{k + 1}")(x)
        return x


class ChannelGate(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = channels // reduction
        self.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )

    def forward(self, x):
        gate = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        return x * torch.sigmoid(gate)[:, :, None, None]


class Spatial(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.bn = nn.BatchNorm2d(1, eps=1e-5, momentum=0.01)

    def forward(self, x):
        return self.bn(self.conv(x))


class SpatialGate(nn.Module):
    def __init__(self):
        super().__init__()
        self.spatial = Spatial()

    def forward(self, x):
        seen = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.spatial(seen))


class Cbam(nn.Module):
    def __init__(self, channels, spatial=True):
        super().__init__()
        self.ChannelGate = ChannelGate(channels)
        if spatial:
            self.SpatialGate = SpatialGate()

    def forward(self, x):
        x = self.ChannelGate(x)
        return self.SpatialGate(x) if hasattr(self, "SpatialGate") else x


def mlp(features, out):
    return nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, out))


class TaskNet(nn.Module):
    def __init__(self, base, diagnoses, grades, psi, colours=3, pool_before_attention=True):
        super().__init__()
        self.pool = pool_before_attention
        self.model = Trunk(base, colours)
        for k in (1, 2, 3):
            branch = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * base, 4 * base))
            setattr(self, f"branch_bam{k}", nn.Sequential(Cbam(8 * base), *branch))
        self.branch_cor = nn.Sequential(Cbam(4 * base, spatial=False))
        self.classifier1 = mlp(8 * base, diagnoses)
        self.classifier2 = mlp(4 * base, psi * diagnoses * grades)
        self.classifier3 = mlp(4 * base, grades)

    def forward(self, x):
        """Logits of diagnosis, joint classes and quality."""
        x = self.model(x)
        x = x.mean((2, 3), keepdim=True) if self.pool else x
        one, two, three = (getattr(self, f"branch_bam{k}")(x) for k in (1, 2, 3))
        helped = self.branch_cor(two[:, :, None, None]).flatten(1)
        return (
            self.classifier1(torch.cat([one, helped], 1)),
            self.classifier2(two),
            self.classifier3(three),
        )


class MetaLearner(nn.Module):
    def __init__(self, base, joint, colours=3):
        super().__init__()
        self.model = Trunk(base, colours)
        self.classifier = mlp(8 * base, joint)

    def forward(self, x, number=None, psi=1):
        """Logits; with the numbers of the joint classes the soft labels."""
        z = self.classifier(self.model(x).mean((2, 3)))
        if number is None:
            return z
        mask = torch.full_like(z, 1e-8)
        for row, k in enumerate(number.tolist()):
            mask[row, k * psi : (k + 1) * psi] = 1
        weighted = torch.exp(z) * mask
        return weighted / weighted.sum(1, keepdim=True)
