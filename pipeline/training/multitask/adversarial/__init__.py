"""Hiding the modality: adversaries, concept erasure, and the probes that judge both."""
