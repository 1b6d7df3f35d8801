"""Scans and where they come from: readers, folder layouts, splits, preprocessing and phantoms."""
