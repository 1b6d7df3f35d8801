"""What is drawn of rows and comparisons."""
