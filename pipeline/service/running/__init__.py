"""The service as processes: started, replaced, ended; what they log and count."""
