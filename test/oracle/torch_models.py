"""One fixture a model: model_numbers.py says what of; of SimpleCNN, the ResNet-20 for CIFAR-10 and torchvision's
ResNets.
"""

import torch
import torchvision
from cifar_resnet import CifarResNet
from model_numbers import model_fixture
from simple_cnn import SimpleCNN


def grey(model: torch.nn.Module) -> torch.nn.Module:
    """A torchvision ResNet for one channel."""
    model.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return model


resnets = torchvision.models
model_fixture("simple_cnn", SimpleCNN(5, 3, 32, dropout=0.0), [4, 3, 32, 32], 5)
model_fixture("simple_cnn_grey", SimpleCNN(10, 1, 28, dropout=0.0), [4, 1, 28, 28], 10)
model_fixture("resnet18", resnets.resnet18(num_classes=10), [4, 3, 64, 64], 10)
model_fixture("resnet18_grey", grey(resnets.resnet18(num_classes=10)), [4, 1, 28, 28], 10)
model_fixture("resnet34", resnets.resnet34(num_classes=10), [4, 3, 64, 64], 10)
model_fixture("resnet50", resnets.resnet50(num_classes=10), [4, 3, 64, 64], 10)
model_fixture("resnet20_cifar", CifarResNet(3, 10), [4, 3, 32, 32], 10, every=4)
