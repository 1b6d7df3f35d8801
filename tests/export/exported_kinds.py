"""A small network of each kind that is exported, as graphs: run as a program, it writes them to the folder named."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def _sibling(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tiny_encoder():
    import keras
    from keras_hub.models import BertBackbone

    from pipeline.models.text_encoders import _token_features, round_to_int8

    keras.utils.set_random_seed(1)
    backbone = BertBackbone(
        vocabulary_size=400, num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=256, max_sequence_length=16
    )
    return round_to_int8(_token_features(backbone))


def graphs(backwards=False):
    """One graph of each kind by file name, as the exporters make them; converted in the other order where ``backwards``."""
    import keras

    from pipeline.export.onnx.classifier import convert_classifier
    from pipeline.export.onnx.graphs import convert_network
    from pipeline.export.onnx.segmenter import convert_segmenter
    from pipeline.export.onnx.stored_weights import store_as_float16
    from pipeline.export.onnx.text_encoder import convert_dense_network, convert_text_encoder, store_as_int8
    from pipeline.models import composed_networks as composed
    from pipeline.models import respiratory_networks as networks
    from pipeline.models.fusion import FusionShape, build_fusion, with_class_shares

    said, outputs = {"system": "tiny"}, ("covid_probs", "joint_features")
    keras.utils.set_random_seed(5)
    shared = networks.build_shared_adversarial(networks.build_generator())
    embedders = [networks.build_embedder(np.zeros(16), np.ones(16), f"embedder_{role}") for role in ("task", "shared")]
    parts = composed.ModalityParts(
        embedders[0], networks.build_xray_task_extractor(), embedders[1], shared, networks.build_classifier_head(1280, "head")
    )
    backbone, unet = _sibling("conftest").tiny_backbone(), _sibling("tiny_segmenter_run").small_unet()
    classifier, encoder = _sibling("tiny_classifier_run").tiny_classifier(3), tiny_encoder()
    makers = {
        "backbone": lambda: convert_network(backbone, ("features",), said),
        "modality": lambda: convert_network(composed.compose_modality("xray", parts, outputs[0]), outputs, said),
        "unet_nhwc": lambda: convert_segmenter(unet, said),
        "unet_nchw": lambda: convert_segmenter(unet, said, layout="NCHW"),
        "classifier": lambda: convert_classifier(classifier, said),
        "text_encoder": lambda: convert_text_encoder(encoder, said),
    }
    for arm in ("gated", "cross_attention"):
        keras.utils.set_random_seed(3)
        fusion = with_class_shares(build_fusion(arm, FusionShape(6, 8, width=8, heads=2)))
        makers[f"fusion_{arm}"] = partial(convert_dense_network, fusion, "classification", said)
    made = {name: makers[name]() for name in (reversed(makers) if backwards else makers)}
    for name in ("backbone", "modality", "unet_nhwc", "unet_nchw", "classifier"):
        store_as_float16(made[name], require=False)
    store_as_int8(made["text_encoder"])
    return {f"{name}.onnx": made[name] for name in makers}


if __name__ == "__main__":
    from pipeline.export.onnx.kernel_files import write_graphs

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    write_graphs(graphs(backwards=sys.argv[2] == "backwards"), folder)
