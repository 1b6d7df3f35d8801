"""Whether a picture is a chest X-ray."""
