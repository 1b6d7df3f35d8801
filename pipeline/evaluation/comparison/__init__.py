"""Arms compared: the document, its tests, its sentences."""
