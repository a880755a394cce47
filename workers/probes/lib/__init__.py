"""What probes share. No file here is a probe."""
