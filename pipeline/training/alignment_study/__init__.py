"""Studies on phantoms of hiding the modality: what it hides, what it costs, and what it is good for."""
