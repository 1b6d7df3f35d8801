"""`data phantom | check | sheet | inspect | prepare | reorganize | download`."""
