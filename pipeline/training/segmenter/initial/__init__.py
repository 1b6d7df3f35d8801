"""What a segmenter's training starts from."""
