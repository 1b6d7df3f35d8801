"""Scans from files: gray, colour and DICOM, their integrity and digests."""
