"""A process that decodes files: what runs in it, and how it is started, asked and ended."""
