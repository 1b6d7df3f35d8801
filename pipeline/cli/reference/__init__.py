"""Pages of the documentation that are written from the code: the command line, and what the stages write."""
