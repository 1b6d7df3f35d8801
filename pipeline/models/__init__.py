"""Keras 3 networks of the pipeline; weights come from files, never from unrestricted pickles."""
