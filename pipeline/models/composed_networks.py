"""The parts of the pipeline joined to the two kinds of network that a bundle holds besides its backbones."""

from __future__ import annotations

import re
from typing import NamedTuple

import keras
from keras import layers

from pipeline.models.respiratory_networks import FEATURES, features_of

JOINT_FEATURES = "joint_features"
BACKBONE_OUTPUTS = ("features",)


def probability_output(positive_class: str | None) -> str:
    """What the output of the positive class's probability is called: ``covid_probs`` for COVID, ``lung_opacity_probs`` for Lung
    Opacity; ``class_probs`` is that of all of more than two classes (None).

    A class without a Latin letter or a digit is ``positive_class_probs``: names of graphs are ASCII.
    """
    if positive_class is None:
        return "class_probs"
    return f"{re.sub('[^a-z0-9]+', '_', positive_class.lower()).strip('_') or 'positive_class'}_probs"


class ModalityParts(NamedTuple):
    """The five trained networks behind one modality's answer; each ends in one logit, or in one for each of K classes."""

    task_embedder: keras.Model
    task_extractor: keras.Model
    shared_embedder: keras.Model
    shared_extractor: keras.Model
    head: keras.Model


def compose_modality(modality: str, parts: ModalityParts, probability: str) -> keras.Model:
    """Backbone features to the answer for one modality.

    Inputs ``task_features (B, F_task)`` and ``shared_features (B, F_shared)``: what the backbones give.
    Outputs ``probability (B, 1)`` in [0, 1], or ``(B, K)`` of K classes, called as `probability_output` says, and
    ``joint_features (B, 1280)``: task beside shared features.
    """
    task_in = keras.Input(parts.task_embedder.input_shape[1:], name="task_features")
    shared_in = keras.Input(parts.shared_embedder.input_shape[1:], name="shared_features")
    task = features_of(parts.task_extractor)(features_of(parts.task_embedder)(task_in))
    shared = features_of(parts.shared_extractor)(features_of(parts.shared_embedder)(shared_in))
    joint = layers.Concatenate(name="join")([task, shared])
    answer = _probabilities(parts.head(joint))
    return keras.Model([task_in, shared_in], {probability: answer, JOINT_FEATURES: joint}, name=modality)


def compose_paired(head: keras.Model, probability: str) -> keras.Model:
    """``xray_features`` and ``ct_features`` ``(B, 1280)`` (the ``joint_features``) → ``probability (B, 1)``, or ``(B, K)``."""
    xray = keras.Input((2 * FEATURES,), name="xray_features")
    ct = keras.Input((2 * FEATURES,), name="ct_features")
    joint = layers.Concatenate(name="join")([xray, ct])
    answer = _probabilities(head(joint))
    return keras.Model([xray, ct], {probability: answer}, name="paired")


def _probabilities(logits):
    kind = "sigmoid" if logits.shape[-1] == 1 else "softmax"
    return layers.Activation(kind, name=kind)(logits)
