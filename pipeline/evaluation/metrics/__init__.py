"""Numbers of one model on one set of rows."""
