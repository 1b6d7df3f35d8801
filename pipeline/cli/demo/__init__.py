"""`demo`: every system on generated scans, and what its runs found."""
