"""Training runs to be browsed: what of a run's folder may be read, and how it stands. Nothing in a run is written."""
