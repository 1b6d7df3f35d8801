"""PNG, JPEG, TIFF and BMP: each header read by itself, each picture checked against it, one way to gray."""
