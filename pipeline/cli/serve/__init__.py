"""The service's command: options to settings, and what is said before it begins."""
