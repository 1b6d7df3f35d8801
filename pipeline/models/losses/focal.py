"""Focal loss from logits, with class weights; without focusing it is the cross-entropy."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="respiratory")
class SoftmaxFocalLoss(keras.losses.Loss):
    """−Σₖ wₖ tₖ (1 − pₖ)^γ log pₖ, averaged over the batch (Lin et al. 2017, *Focal Loss*, eq. 5).

    ``call`` takes targets ``(B, K)`` float32 that sum to 1 (one-hot, smoothed or mixed) and logits ``(B, K)``,
    and gives ``(B,)`` float32 in nats. ``keras.losses.CategoricalFocalCrossentropy`` computes the same from
    clipped probabilities, so it has no gradient where a scan is called wrong with certainty; here the logarithm
    is taken of the logits.

    Args:
        gamma: γ ≥ 0; 0 gives the weighted cross-entropy.
        class_weights: w of each class; ``None`` weighs all alike.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        class_weights: list[float] | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "focal_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.gamma = float(gamma)
        self.class_weights = None if class_weights is None else [float(weight) for weight in class_weights]

    def call(self, y_true, y_pred):
        log_probs = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        losses = -ops.cast(y_true, "float32") * log_probs
        if self.gamma:
            # The floor keeps the slope of 0^γ finite for γ < 1.
            losses = losses * ops.power(ops.maximum(1.0 - ops.exp(log_probs), 1e-7), self.gamma)
        if self.class_weights is not None:
            losses = losses * ops.convert_to_tensor(self.class_weights, "float32")
        return ops.sum(losses, axis=-1)

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma, "class_weights": self.class_weights}
