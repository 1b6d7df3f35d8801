"""Write ``unet_reduced.npz``: what MONAI's UNet with the original's heads answers, for tests without PyTorch.

Run in an environment of its own, since the project does not depend on PyTorch::

    python3.11 -m venv ../torchenv
    ../torchenv/bin/pip install torch==2.13.0 monai==1.6.1
    ../torchenv/bin/python tests/models/reference/make_unet_reference.py

Contents: ``state_dict/<tensor>`` float16 (the values are exact in it) or int64; ``image`` ``(2, 32, 32, 3)``
float32 in [0, 1]; ``backbone`` ``(2, 32, 32, 8)``, ``segmentation`` ``(2, 32, 32, 1)`` and ``classification``
``(2, 4)`` float32 in evaluation mode; ``masks``, ``class_index``, ``class_weights`` with the ``dice_loss``,
``bce_loss`` and ``classification_loss`` of MONAI and PyTorch on those answers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from monai.losses import DiceLoss
from monai.networks.layers import Norm
from monai.networks.nets import UNet
from torch import nn

REDUCED = {"channels": (8, 16, 32), "strides": (2, 2), "decoded_channels": 8}
FULL_SIZE = {"channels": (32, 64, 128, 256, 512), "strides": (2, 2, 2, 2), "decoded_channels": 64}
CLASS_WEIGHTS = (0.5, 2.0, 1.0, 4.0)


class MultiHeadUNet(nn.Module):
    """The backbone and heads as the original names them; ``(B, 3, H, W)`` → backbone, segmentation, classification."""

    def __init__(self, channels: tuple[int, ...], strides: tuple[int, ...], decoded_channels: int, class_count: int = 4):
        super().__init__()
        self.backbone = UNet(
            spatial_dims=2, in_channels=3, out_channels=decoded_channels, channels=channels, strides=strides,
            num_res_units=2, norm=Norm.BATCH, dropout=0.1,
        )  # fmt: skip
        self.seg_head = nn.Sequential(
            nn.Conv2d(decoded_channels, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 1, 1), nn.Sigmoid()
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(decoded_channels, 256), nn.ReLU(), nn.BatchNorm1d(256),
            nn.Dropout(0.3), nn.Linear(256, 128), nn.ReLU(), nn.BatchNorm1d(128),
            nn.Dropout(0.2), nn.Linear(128, class_count),
        )  # fmt: skip

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        decoded = self.backbone(image)
        return decoded, self.seg_head(decoded), self.classifier(decoded.mean(dim=(2, 3)))


def drawn_tensor(name: str, shape: tuple[int, ...], draw: np.random.Generator) -> np.ndarray:
    """A tensor far from any default, exact in float16, that keeps signals near unit size through the network."""
    if name.endswith("num_batches_tracked"):
        return np.array(draw.integers(1, 1000))
    if name.endswith("running_var"):
        drawn = draw.uniform(0.5, 2.0, shape)
    elif name.endswith("adn.A.weight"):
        drawn = draw.uniform(0.05, 0.45, shape)
    elif len(shape) > 1:
        drawn = draw.normal(0, 1.2 / np.sqrt(np.prod(shape[1:])), shape)
    elif name.endswith("weight"):
        drawn = draw.uniform(0.6, 1.4, shape)
    else:
        drawn = draw.normal(0, 0.2, shape)
    return drawn.astype(np.float16)


def drawn_network(shape: dict, seed: int) -> MultiHeadUNet:
    """The network in evaluation mode with every tensor drawn from ``seed`` by NumPy."""
    draw = np.random.default_rng(seed)
    network = MultiHeadUNet(**shape).eval()
    for name, tensor in network.state_dict().items():
        tensor.copy_(torch.from_numpy(drawn_tensor(name, tuple(tensor.shape), draw)))
    return network


def answers(network: MultiHeadUNet, image: np.ndarray) -> dict[str, np.ndarray]:
    """Channels-last answers to ``(B, H, W, 3)``, float32."""
    with torch.no_grad():
        decoded, segmentation, classification = network(torch.from_numpy(np.moveaxis(image, -1, 1).copy()))
    maps = {"backbone": decoded, "segmentation": segmentation}
    return {
        **{name: np.moveaxis(tensor.numpy(), 1, -1).copy() for name, tensor in maps.items()},
        "classification": classification.numpy(),
    }


def losses(answered: dict[str, np.ndarray], masks: np.ndarray, class_index: np.ndarray) -> dict[str, np.ndarray]:
    """MONAI's and PyTorch's losses, the original's two terms and class-weighted cross-entropy."""
    probs, truth = (torch.from_numpy(np.moveaxis(array, -1, 1).copy()) for array in (answered["segmentation"], masks))
    crossentropy = nn.CrossEntropyLoss(weight=torch.tensor(CLASS_WEIGHTS))
    return {
        "dice_loss": DiceLoss(sigmoid=False, squared_pred=True)(probs, truth).numpy(),
        "bce_loss": nn.BCELoss()(probs, truth).numpy(),
        "classification_loss": crossentropy(torch.from_numpy(answered["classification"]), torch.from_numpy(class_index)).numpy(),
    }


def main(target: Path) -> None:
    torch.set_num_threads(1)
    network = drawn_network(REDUCED, seed=3)
    draw = np.random.default_rng(4)
    image = draw.integers(0, 256, (2, 32, 32, 3)).astype(np.float32) / 255
    answered = answers(network, image)
    masks = (draw.uniform(size=(2, 32, 32, 1)) < 0.3).astype(np.float32)
    class_index = np.array([3, 1])
    tensors = {
        f"state_dict/{name}": tensor.numpy() if tensor.dtype == torch.int64 else tensor.numpy().astype(np.float16)
        for name, tensor in network.state_dict().items()
    }
    np.savez_compressed(
        target, **tensors, image=image, **answered, masks=masks, class_index=class_index,
        class_weights=np.array(CLASS_WEIGHTS, np.float32), **losses(answered, masks, class_index),
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("unet_reduced.npz"))
