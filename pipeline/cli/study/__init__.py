"""`study`: what a method does on phantoms, where the truth is known."""
