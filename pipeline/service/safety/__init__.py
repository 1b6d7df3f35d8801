"""What keeps a request within bounds before it is answered: host, keys, rate, bytes, time."""
