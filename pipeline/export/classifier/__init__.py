"""The classifier's bundle."""
