"""A chest X-ray through the multi-head UNet."""
