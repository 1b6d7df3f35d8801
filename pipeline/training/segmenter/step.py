"""One compiled training step of the multi-head UNet, and its compiled forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from pipeline.models.losses.segmentation import dice_loss, multi_head_loss, pixel_crossentropy
from pipeline.training.segmenter.settings import SegmentationFit

THRESHOLD = 0.5


def build_optimizer(model: keras.Model, fit: SegmentationFit) -> keras.optimizers.Optimizer:
    """AdamW on all that learns, gradients clipped by their joint norm; under mixed_float16 the loss is scaled."""
    optimizer = keras.optimizers.AdamW(
        fit.learning_rate, weight_decay=fit.weight_decay, global_clipnorm=fit.clip_norm, name="adamw"
    )
    if fit.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
    optimizer.build(model.trainable_variables)
    return optimizer


def set_learning_rate(optimizer: keras.optimizers.Optimizer, rate: float) -> None:
    """Change the rate of the next steps."""
    getattr(optimizer, "inner_optimizer", optimizer).learning_rate = rate


def training_step(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, loss_weights: Mapping[str, float], side: int | None = None
):
    """A compiled minibatch of scans of one side in pixels, of any for None.

    (scans ``(B, S, S, 1)``, masks ``(B, S, S, 1)``, classes ``(B,)`` int32, mask weights ``(B,)``, class weights ``(B,)``) →
    vector ``(5,)``: loss, segmentation and classification loss, right answers, and the sum of Dice of masked scans.
    """

    def step(images, masks, classes, mask_weights, class_weights):
        targets = {"segmentation": masks, "classification": classes}
        weights = {"segmentation": mask_weights, "classification": class_weights}
        with tf.GradientTape() as tape:
            outputs = model(as_rgb(images), training=True)
            losses = multi_head_loss(targets, outputs, weights, loss_weights)
            scaled = optimizer.scale_loss(losses["loss"])
        optimizer.apply_gradients(zip(tape.gradient(scaled, model.trainable_variables), model.trainable_variables, strict=True))
        right = tf.reduce_sum(tf.cast(tf.argmax(outputs["classification"], -1, tf.int32) == classes, tf.float32))
        overlap = tf.reduce_sum(mask_weights * hard_dice(masks, outputs["segmentation"]))
        return tf.stack([losses["loss"], losses["segmentation_loss"], losses["classification_loss"], right, overlap])

    pictures, numbers = tf.TensorSpec((None, side, side, 1), tf.float32), tf.TensorSpec((None,), tf.float32)
    signature = [pictures, pictures, tf.TensorSpec((None,), tf.int32), numbers, numbers]
    # The signature makes one graph, whichever batch comes first: a graph traced anew may round differently after a resume.
    return tf.function(step, input_signature=signature)


def forward_pass(model: keras.Model, side: int | None = None, mirror_average: bool = False):
    """Scans ``(B, S, S, 1)`` of one side → segmentation ``(B, S, S, 1)`` and logits ``(B, K)`` in inference mode.

    mirror_average: both are means over a scan and its mirror image, whose lungs are mirrored back.
    """

    def forward(images):
        answer = model(as_rgb(images), training=False)
        if not mirror_average:
            return answer
        mirrored = model(as_rgb(images[:, :, ::-1]), training=False)
        return {
            "segmentation": (answer["segmentation"] + mirrored["segmentation"][:, :, ::-1]) / 2,
            "classification": (answer["classification"] + mirrored["classification"]) / 2,
        }

    return tf.function(forward, input_signature=[tf.TensorSpec((None, side, side, 1), tf.float32)])


def segmentation_loss_of(masks: Any, probs: Any) -> Any:
    """Dice + BCE of each scan, ``(B,)``: what ``SegmentationLoss`` averages."""
    return dice_loss(masks, probs) + pixel_crossentropy(masks, probs)


def hard_dice(masks: Any, probs: Any) -> Any:
    """Dice ``(B,)`` of the map cut at THRESHOLD; two empty masks agree."""
    said = tf.cast(probs > THRESHOLD, tf.float32)
    shared = tf.reduce_sum(said * masks, axis=(1, 2, 3))
    both = tf.reduce_sum(said, axis=(1, 2, 3)) + tf.reduce_sum(masks, axis=(1, 2, 3))
    return tf.where(both > 0, 2 * shared / tf.maximum(both, 1.0), tf.ones_like(both))


def as_rgb(images: Any) -> Any:
    """Gray to three equal channels."""
    return tf.repeat(images, 3, axis=-1)
