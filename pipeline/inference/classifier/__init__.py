"""A scan through a classifier."""
