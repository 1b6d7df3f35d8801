"""Rows of predictions: read, checked, aligned, written."""
