"""What a bundle says of how far to trust it: scores on its own test part, known shortcuts, the limits on its card."""
