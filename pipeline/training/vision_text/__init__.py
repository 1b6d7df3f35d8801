"""Vision with text: arms on the same folds."""
