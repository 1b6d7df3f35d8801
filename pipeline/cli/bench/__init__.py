"""What `bench` measures: speed and memory, the runtimes, and the X-ray gate."""
