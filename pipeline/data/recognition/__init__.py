"""What a folder of scans is that no configuration describes yet, and what would go wrong with it."""
