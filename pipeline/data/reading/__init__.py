"""Scans from files, gray and colour, and labels from masks: rasters, DICOM, NIfTI; in this process or in others."""
