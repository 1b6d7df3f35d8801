"""An X-ray and its note through a fusion."""
