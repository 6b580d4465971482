"""LeNet-5 for digits: the oldest network of the course, small enough to read whole."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from ..preprocessing import Preprocessing

# Mean and standard deviation of MNIST's 60,000 training pictures, as used throughout the literature.
PREPROCESSING: Final = Preprocessing(
    resize=28,
    crop=28,
    mean=(0.1307,),
    std=(0.3081,),
    interpolation="bilinear",
    channels=1,
    invert_light_background=True,
)


class LeNet5(nn.Module):
    """LeNet-5 (LeCun et al. 1998, section II.B) with today's usual changes.

    As in the paper: two 5x5 convolutions with 6 and 16 filters, each followed by 2x2 pooling, then layers of 120, 84
    and 10 units. Changed: ReLU for tanh, max pooling for trainable averages, every filter of the second convolution
    reads all six maps, the picture of 28x28 is padded by the first convolution instead of beforehand, and a softmax
    stands at the end for the radial basis functions.

    Input float32 (N, 1, 28, 28), output logits float32 (N, num_classes).
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(120, 84)
        self.relu4 = nn.ReLU()
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.pool2(self.relu2(self.conv2(x)))
        x = self.relu3(self.fc1(self.flatten(x)))
        return self.fc3(self.relu4(self.fc2(x)))


# For each layer: (outputs at each position, inputs of each, positions).
_LAYERS: Final = ((6, 25, 28 * 28), (16, 6 * 25, 10 * 10), (120, 400, 1), (84, 120, 1), (10, 84, 1))
N_PARAMETERS: Final = sum(outputs * (inputs + 1) for outputs, inputs, _ in _LAYERS)
MACS: Final = sum(outputs * inputs * positions for outputs, inputs, positions in _LAYERS)
"""Multiply-adds for one digit."""
