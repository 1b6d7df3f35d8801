"""Timed trainings beside a reference."""
