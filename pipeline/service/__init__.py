"""The service: bundles behind HTTP, within limits that are kept before anything is read. Needs the extra `serve`."""
