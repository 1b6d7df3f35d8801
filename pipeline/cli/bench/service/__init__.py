"""The service under load, over loopback, beside the same bundle in this process: bounded in requests and in time."""
