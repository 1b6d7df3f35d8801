"""`init`: a commented configuration that fits a folder of scans, a module for each system."""
