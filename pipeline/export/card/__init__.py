"""Model cards: Markdown templates, a system's each, and what they quote of the data."""
