"""From a finished run, or from a folder of foreign models, to a bundle: ONNX graphs, model card, hashes."""
