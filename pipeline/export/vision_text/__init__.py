"""The bundle of vision with text."""
