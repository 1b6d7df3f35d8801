"""The stage engine: contract, configuration, manifests, planning, running and committing."""
