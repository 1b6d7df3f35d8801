"""The multi-head UNet and its X-ray gate."""
