"""What the service answers, an idea a file: each makes a router, and `application` puts them together."""
