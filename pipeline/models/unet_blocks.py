"""The blocks of MONAI's residual UNet in Keras layers, channels last, padded and cropped as PyTorch does.

Source: MONAI ``networks/blocks/convolutions.py`` (``Convolution``, ``ResidualUnit``) and ``acti_norm.py``
(``ADN``), after Kerfoot et al., *Left-Ventricle Quantification Using Residual U-Net* (STACOM 2018). Every
block takes and gives a Keras tensor ``(B, H, W, C)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

import keras
from keras import layers

KERNEL = 3
BN_EPSILON = 1e-5
BN_MOMENTUM = 0.9
PRELU_SLOPE = 0.25


def pytorch_uniform() -> keras.initializers.Initializer:
    """PyTorch's default for kernels: uniform within ±1/√fan_in (Kaiming uniform with a = √5)."""
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")


def batch_norm(name: str) -> layers.BatchNormalization:
    """Batch normalisation with PyTorch's ε 1e-5 and momentum (0.1 there is 0.9 here)."""
    return layers.BatchNormalization(momentum=BN_MOMENTUM, epsilon=BN_EPSILON, name=name)


@dataclass
class DropoutSeeds:
    """Gives each dropout layer of one network a seed of its own, so that a rebuilt network draws the same."""

    seed: int
    _position: count = field(default_factory=lambda: count(1))

    def dropout(self, rate: float, name: str) -> layers.Dropout:
        return layers.Dropout(rate, seed=self.seed + next(self._position), name=name)


def normalise_activate(x, rate: float, seeds: DropoutSeeds, name: str):
    """MONAI's ``ADN`` in the order NDA: batch normalisation, dropout, PReLU with one slope for all channels."""
    x = batch_norm(f"{name}_norm")(x)
    x = seeds.dropout(rate, f"{name}_dropout")(x)
    slope = keras.initializers.Constant(PRELU_SLOPE)
    return layers.PReLU(alpha_initializer=slope, shared_axes=[1, 2, 3], name=f"{name}_prelu")(x)


def convolve(x, filters: int, kernel: int, stride: int, name: str):
    """Convolution with bias, ``x`` padded symmetrically beforehand where the stride is not 1.

    Keras's ``same`` pads a strided convolution more at the end than at the start; PyTorch pads both alike.
    """
    padding = "same" if stride == 1 else "valid"
    return layers.Conv2D(filters, kernel, stride, padding=padding, kernel_initializer=pytorch_uniform(), name=name)(x)


def down_unit(x, filters: int, stride: int, rate: float, seeds: DropoutSeeds, name: str):
    """Residual unit of two sub-units, the first with the stride: ``(B, H, W, C)`` → ``(B, ⌈H/s⌉, ⌈W/s⌉, filters)``.

    The shortcut is a 3×3 convolution where the unit strides, a 1×1 where only the channels change, else the
    input itself.
    """
    entered = x if stride == 1 else layers.ZeroPadding2D(KERNEL // 2, name=f"{name}_pad")(x)
    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = convolve(entered, filters, 1 if stride == 1 else KERNEL, stride, f"{name}_shortcut")
    for unit, step in enumerate((stride, 1)):
        entered = convolve(entered, filters, KERNEL, step, f"{name}_unit{unit}_conv")
        entered = normalise_activate(entered, rate, seeds, f"{name}_unit{unit}")
    return layers.Add(name=f"{name}_add")([entered, shortcut])


def up_unit(x, filters: int, stride: int, rate: float, seeds: DropoutSeeds, name: str, last: bool):
    """Transposed convolution, then a residual unit of one sub-unit: ``(B, H, W, C)`` → ``(B, sH, sW, filters)``.

    PyTorch's padding 1 cuts one row at the start and its output padding keeps ``stride - 1`` more at the end;
    Keras's ``same`` would cut the end instead. In the ``last`` unit the sub-unit is the convolution alone.
    """
    transposed = layers.Conv2DTranspose(
        filters, KERNEL, stride, padding="valid", kernel_initializer=pytorch_uniform(), name=f"{name}_transposed"
    )
    crop = (KERNEL // 2, KERNEL // 2 - (stride - 1))
    x = layers.Cropping2D((crop, crop), name=f"{name}_crop")(transposed(x))
    entered = normalise_activate(x, rate, seeds, name)
    x = convolve(entered, filters, KERNEL, 1, f"{name}_unit0_conv")
    if not last:
        x = normalise_activate(x, rate, seeds, f"{name}_unit0")
    return layers.Add(name=f"{name}_add")([x, entered])
