"""Heat maps without TensorFlow."""
