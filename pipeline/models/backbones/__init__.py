"""Backbones by name, with their own input scaling inside."""
