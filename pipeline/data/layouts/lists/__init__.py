"""Lists of scans: a table with a row for each image, its columns found by their usual names; what DICOM headers tell."""
