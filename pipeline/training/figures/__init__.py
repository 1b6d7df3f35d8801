"""What is drawn of trainings: curves, and masks laid over scans."""
