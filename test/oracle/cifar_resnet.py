"""He et al. 2016, §4.2: the residual networks for 32x32 images with shortcuts of option A.

Names as in akamaster/pytorch_resnet_cifar10, whose checkpoints load into it (after `module.` is cut off).
"""

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.shrinks = in_channels != channels
        self.conv1 = nn.Conv2d(in_channels, channels, 3, 2 if self.shrinks else 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.padding = (channels - in_channels) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.shrinks:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    def __init__(self, blocks: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self.group(16, 16, blocks)
        self.layer2 = self.group(16, 32, blocks)
        self.layer3 = self.group(32, 64, blocks)
        self.linear = nn.Linear(64, classes)

    @staticmethod
    def group(before: int, channels: int, blocks: int) -> nn.Sequential:
        return nn.Sequential(*(Block(before if i == 0 else channels, channels) for i in range(blocks)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))
