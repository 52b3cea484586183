"""SimpleCNN of reference experiment E, as its PyTorch write-up builds it."""

import torch
from torch import nn


class SimpleCNN(nn.Module):
    """[N, channels, size, size] -> [N, classes]; 2,471,941 parameters for 5 classes at 3x32x32."""

    def __init__(self, classes: int = 5, channels: int = 3, size: int = 32, dropout: float = 0.5):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 128, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(128)
        self.conv3 = nn.Conv2d(128, 256, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(256)
        self.pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU()
        self.fc1 = nn.Linear(256 * (size // 8) ** 2, 512)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.pool(self.relu(self.bn2(self.conv2(x))))
        x = self.pool(self.relu(self.bn3(self.conv3(x))))
        x = self.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(self.dropout(x))


def kaiming_init(model: nn.Module) -> None:
    """Kaiming-normal weights (fan_in, ReLU gain) and zero biases for convolutions and linear layers, in module order,
    after the modules' own default initialization has drawn from the generator."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
