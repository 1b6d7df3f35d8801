"""The dense networks of the multi-modal, multi-task pipeline, width for width as tabled.

Every model and layer is named, so that equal seeds give equal ``.h5`` bytes. A network that ends in logits (layer ``logit``:
one of the positive class of two, or one for each of ``logits`` classes) also names its ``features`` layer: what enters the last
Dense, read by the stage after it.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from pipeline.models.backbones.split_backbone import unfreeze

EMBEDDING = 1280
FEATURES = 640
KERAS_SLOPE = 0.3
SMALLEST_VARIANCE = 1e-6


def _dense_stack(x, widths: tuple[int, ...], slope: float = KERAS_SLOPE, dropouts: tuple[float, ...] = (), seed: int = 0):
    for position, width in enumerate(widths, start=1):
        x = layers.Dense(width, name=f"dense_{position}")(x)
        x = layers.LeakyReLU(negative_slope=slope, name=f"leaky_{position}")(x)
        if position <= len(dropouts) and dropouts[position - 1]:
            x = layers.Dropout(dropouts[position - 1], seed=seed + position, name=f"dropout_{position}")(x)
    return x


def _with_logit(inputs, features, name: str, logits: int = 1) -> keras.Model:
    features = layers.Identity(name="features")(features)
    return keras.Model(inputs, layers.Dense(logits, name="logit")(features), name=name)


def build_embedder(
    mean: np.ndarray, variance: np.ndarray, name: str, dropout: float = 0.0, seed: int = 0, logits: int = 1
) -> keras.Model:
    """Backbone features ``(B, F)`` → Dense 1280 → LeakyReLU → logits; the embedding is layer ``features``.

    ``mean`` and ``variance`` ``(F,)`` of the training features standardise the input, since backbones differ in
    scale by orders of magnitude; a frozen batch normalisation holds them, so that they are weights and two
    embedders of one width are one architecture. ``dropout`` acts on the standardised features while training.
    """
    pooled = keras.Input((len(mean),), name="backbone_features")
    return _embedder_on(pooled, pooled, mean, variance, name, dropout, seed, logits)


def build_fine_tuned_embedder(tail: keras.Model, frozen: keras.Model, name: str, seed: int = 0) -> keras.Model:
    """A backbone's tail → the layers of an embedder trained on what that tail gave while frozen.

    All of it learns but the batch normalisations and the standardisation.

    ``tail``: of ``split_backbone``, which is copied. ``frozen``: of
    ``build_embedder``, whose weights are copied too, so that the network starts by answering as both do in a row.
    """
    front = keras.Input(tail.input_shape[1:], name="backbone_features")
    own = keras.models.clone_model(tail)
    own.set_weights(tail.get_weights())
    unfreeze(own)
    mean, variance = frozen.get_layer("standardise").get_weights()
    dropout = next((layer.rate for layer in frozen.layers if layer.name == "dropout_input"), 0.0)
    logits = frozen.output_shape[-1]
    model = _embedder_on(front, own(front, training=False), mean, variance, name, dropout, seed, logits)
    for layer in ("dense_1", "logit"):
        model.get_layer(layer).set_weights(frozen.get_layer(layer).get_weights())
    return model


def _embedder_on(
    entering, x, mean: np.ndarray, variance: np.ndarray, name: str, dropout: float, seed: int, logits: int
) -> keras.Model:
    scale = layers.BatchNormalization(center=False, scale=False, epsilon=SMALLEST_VARIANCE, trainable=False, name="standardise")
    x = scale(x)
    scale.set_weights([mean, variance])
    if dropout:
        x = layers.Dropout(dropout, seed=seed, name="dropout_input")(x)
    return _with_logit(entering, _dense_stack(x, (EMBEDDING,)), name, logits)


def build_xray_task_extractor(name: str = "task_extractor_xray", seed: int = 0, logits: int = 1) -> keras.Model:
    """Embedding ``(B, 1280)`` → BN, 1120, 960, 800, 640, BN → logits."""
    embedding = keras.Input((EMBEDDING,), name="embedding")
    x = layers.BatchNormalization(name="batch_norm_in")(embedding)
    x = _dense_stack(x, (1120, 960, 800, FEATURES))
    return _with_logit(embedding, layers.BatchNormalization(name="batch_norm_out")(x), name, logits)


def build_ct_task_extractor(name: str = "task_extractor_ct", seed: int = 0, logits: int = 1) -> keras.Model:
    """Embedding ``(B, 1280)`` → 1120, 960, 800, 640 (slope 0.5, dropout 0.45 after the first three) → logits."""
    embedding = keras.Input((EMBEDDING,), name="embedding")
    x = _dense_stack(embedding, (1120, 960, 800, FEATURES), slope=0.5, dropouts=(0.45, 0.45, 0.45), seed=seed)
    return _with_logit(embedding, x, name, logits)


def build_shared_plain(name: str = "shared_plain", seed: int = 0, logits: int = 1) -> keras.Model:
    """Embedding ``(B, 1280)`` of either modality → 960, 800, 640 → logits (sigmoid or softmax are in the loss)."""
    embedding = keras.Input((EMBEDDING,), name="embedding")
    return _with_logit(embedding, _dense_stack(embedding, (960, 800, FEATURES)), name, logits)


def build_generator(name: str = "generator") -> keras.Model:
    """Embedding ``(B, 1280)`` → 960, 640, 960, 1280, LeakyReLU after each: an embedding without modality."""
    embedding = keras.Input((EMBEDDING,), name="embedding")
    return keras.Model(embedding, _dense_stack(embedding, (960, 640, 960, EMBEDDING)), name=name)


def build_discriminator(name: str = "discriminator") -> keras.Model:
    """Embedding ``(B, 1280)`` → 640, 320, 160 → 1 logit of "this is an X-ray" (X-ray 1, CT 0)."""
    embedding = keras.Input((EMBEDDING,), name="embedding")
    return _with_logit(embedding, _dense_stack(embedding, (640, 320, 160)), name)


def build_label_probe(name: str = "label_probe", logits: int = 1) -> keras.Model:
    """Generated embedding ``(B, 1280)`` → logits of the diagnosis: keeps the disease while the modality is hidden."""
    generated = keras.Input((EMBEDDING,), name="embedding")
    return _with_logit(generated, generated, name, logits)


def build_shared_adversarial(generator: keras.Model, name: str = "shared_adversarial", logits: int = 1) -> keras.Model:
    """Frozen generator → LeakyReLU → 640 → LeakyReLU → logits."""
    generator.trainable = False
    embedding = keras.Input((EMBEDDING,), name="embedding")
    x = layers.LeakyReLU(negative_slope=KERAS_SLOPE, name="leaky_generated")(generator(embedding, training=False))
    return _with_logit(embedding, _dense_stack(x, (FEATURES,)), name, logits)


def build_shared_erased(plain: keras.Model, matrix: np.ndarray, offset: np.ndarray, name: str = "shared_erased") -> keras.Model:
    """The plain shared extractor, its features times ``matrix`` ``(640, 640)`` plus ``offset`` ``(640,)``, and its own logits."""
    embedding = keras.Input((EMBEDDING,), name="embedding")
    erase = layers.Dense(FEATURES, name="erase")
    logits = plain.output_shape[-1]
    model = _with_logit(embedding, erase(features_of(plain)(embedding, training=False)), name, logits)
    erase.set_weights([np.asarray(matrix, np.float32), np.asarray(offset, np.float32)])
    model.get_layer("logit").set_weights(plain.get_layer("logit").get_weights())
    return model


def build_classifier_head(feature_width: int = 2 * FEATURES, name: str = "classifier_head", logits: int = 1) -> keras.Model:
    """Concatenated task and shared features ``(B, F)`` → 320, 80, 20 → logits."""
    features = keras.Input((feature_width,), name="features_in")
    return _with_logit(features, _dense_stack(features, (320, 80, 20)), name, logits)


def features_of(model: keras.Model) -> keras.Model:
    """The part of a network up to what enters its last Dense."""
    return keras.Model(model.input, model.get_layer("features").output, name=f"{model.name}_features")
