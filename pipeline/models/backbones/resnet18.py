"""ResNet18, which ``keras.applications`` lacks, with torchvision's weights where there is a ``.pth``.

Architecture: He et al. 2016, *Deep Residual Learning* (table 1, 18 layers), as torchvision builds it: explicit
symmetric padding, BN ε 1e-5 and momentum 0.1 in PyTorch's sense. ImageNet input: (pixel − mean) / std.
"""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from pipeline.engine.errors import CorruptArtifactError
from pipeline.models.torch_files import read_state_dict

STAGE_CHANNELS = (64, 128, 256, 512)
BLOCKS_A_STAGE = 2
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
UNUSED = ("fc.", "num_batches_tracked")


def build_resnet18(image_size: int | None = None) -> keras.Model:
    """Build the convolutional part: 11,176,512 weights in kernels and batch normalisation's scale and offset.

    Input ``image``: ``(B, S, S, 3)`` float32, ImageNet-normalised. Output: ``(B, ceil(S / 32), ceil(S / 32), 512)``
    float32, after the last ReLU.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = _convolve(image, 64, 7, 2, "stem")
    x = layers.ReLU(name="stem_relu")(x)
    # PyTorch pads a maximum with -inf; after a ReLU, zeros are as neutral.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    for stage, channels in enumerate(STAGE_CHANNELS, start=1):
        for block in range(BLOCKS_A_STAGE):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _basic_block(x, channels, stride, f"layer{stage}_{block}")
    return keras.Model(image, x, name="resnet18")


def _convolve(x, channels: int, kernel: int, stride: int, name: str):
    """Convolution without bias, padded by half the kernel on every side, and batch normalisation."""
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(channels, kernel, stride, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv")(x)
    return layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}_bn")(x)


def _basic_block(entered, channels: int, stride: int, name: str):
    x = layers.ReLU(name=f"{name}_relu1")(_convolve(entered, channels, 3, stride, f"{name}_1"))
    x = _convolve(x, channels, 3, 1, f"{name}_2")
    if stride != 1 or entered.shape[-1] != channels:
        entered = _convolve(entered, channels, 1, stride, f"{name}_shortcut")
    return layers.ReLU(name=f"{name}_relu2")(layers.Add(name=f"{name}_add")([x, entered]))


def torch_name(layer_name: str) -> str:
    """torchvision's name of a layer with weights: ``layer2_0_shortcut_bn`` is ``layer2.0.downsample.1``."""
    place, _, kind = layer_name.rpartition("_")
    if place == "stem":
        return {"conv": "conv1", "bn": "bn1"}[kind]
    stage, block, role = place.split("_")
    if role == "shortcut":
        return f"{stage}.{block}.downsample.{'01'[kind == 'bn']}"
    return f"{stage}.{block}.{kind}{role}"


def load_torchvision_weights(body: keras.Model, checkpoint: Path) -> None:
    """Fill a network of ``build_resnet18`` from torchvision's ``resnet18`` state_dict; the classifier ``fc`` is left out.

    Args:
        body: filled in place, and only if every tensor fits.
        checkpoint: a ``.pth`` file, plain or nested under ``model_state_dict`` or ``state_dict``; a ``module.``
            before every name is taken off.

    Raises:
        CorruptArtifactError: a tensor is missing, has another shape or belongs nowhere; each one is named.
    """
    tensors = {name.removeprefix("module."): array for name, array in read_state_dict(checkpoint).items()}
    arrays, faults, used = {}, [], set()
    for layer in (layer for layer in body.layers if layer.weights):
        kinds = ("weight", "bias", "running_mean", "running_var")[: len(layer.weights)]
        names = [f"{torch_name(layer.name)}.{kind}" for kind in kinds]
        faults += [f"{name} is missing" for name in names if name not in tensors]
        found = [tensors[name] for name in names if name in tensors]
        found = [array.transpose(2, 3, 1, 0) if array.ndim == 4 else array for array in found]
        for name, array, weight in zip(names, found, layer.weights, strict=False):
            if array.shape != tuple(weight.shape):
                faults.append(f"{name} has shape {tensors[name].shape}")
        arrays[layer.name], used = found, used | set(names)
    faults += [
        f"{name} belongs nowhere"
        for name in tensors
        if name not in used and not name.startswith(UNUSED[0]) and not name.endswith(UNUSED[1])
    ]
    if faults:
        raise CorruptArtifactError(f"{checkpoint.name} does not fit ResNet18: {'; '.join(faults)}.",
                                   "Use torchvision's resnet18 state_dict.")  # fmt: skip
    for name, found in arrays.items():
        body.get_layer(name).set_weights(found)
