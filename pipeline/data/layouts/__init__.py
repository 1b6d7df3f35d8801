"""Where scans, labels and patients lie: folders, manifests and tables, and how they are laid out anew."""
