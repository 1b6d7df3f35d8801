"""The scans that a bundle learnt from, recognised."""
