"""What s09 and s10 tell: the planned tests, the reports, what the notes give away."""
