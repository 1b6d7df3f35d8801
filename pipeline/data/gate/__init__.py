"""What tells a chest X-ray from other pictures: nine checks, a learned distance, and pictures to refuse."""
