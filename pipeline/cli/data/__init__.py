"""`data phantom | inspect | prepare | reorganize | download`."""
