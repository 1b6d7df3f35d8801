"""Library of the respiratory-scan pipeline: usable without the numbered stages."""
