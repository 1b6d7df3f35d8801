"""Splits by patient, and what leaks across them."""
