"""Keras networks as ONNX graphs, and how they are stored."""
