"""The section `seen` of a bundle, written."""
