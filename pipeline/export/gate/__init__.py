"""Gates: the bundle of its own, and what a bundle says of the scans that it learnt from."""
