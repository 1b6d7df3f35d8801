"""Scans laid out anew in folders of their own: the four folders, and a new split for both label sets."""
