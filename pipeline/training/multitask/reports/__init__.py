"""What s05 and s06 tell: tables of predictions, rates by source, the chosen variant, the report."""
