"""Where scans, labels, masks and patients lie: folders, manifests and tables."""
