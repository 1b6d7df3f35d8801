"""The segmenter's bundle, of a run or of a foreign checkpoint."""
