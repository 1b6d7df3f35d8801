"""Clinical notes: diagnosis words masked, cut into pieces."""
