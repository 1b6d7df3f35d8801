"""A data set looked at: counts, sizes, intensities, sources, sample sheets."""
