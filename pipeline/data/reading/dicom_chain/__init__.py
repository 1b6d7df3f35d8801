"""The DICOM grayscale chain (PS3.3 C.7.6.3, C.11), a step a file: stored bits to 8-bit gray."""
