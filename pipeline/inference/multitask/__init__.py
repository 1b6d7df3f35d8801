"""A scan pair through the respiratory bundle."""
