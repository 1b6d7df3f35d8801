"""The page in a browser: templates rendered here, a little script beside them, no build step and no other host."""
