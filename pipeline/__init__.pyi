# What `__getattr__` of the module finds, for type checkers.
from pipeline.comparing import compare as compare
from pipeline.inference.given_bundle import open_bundle as open_bundle

__all__ = ["compare", "open_bundle"]
