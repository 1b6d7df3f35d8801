"""The respiratory multi-task chain: embedders, extractors, heads, repetitions."""
