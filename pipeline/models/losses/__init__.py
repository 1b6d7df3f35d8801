"""Losses: focal cross-entropy of classes, Dice and cross-entropy of masks."""
