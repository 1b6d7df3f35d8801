"""From scans to answers with an exported bundle, on onnxruntime and without TensorFlow."""
