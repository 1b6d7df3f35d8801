"""Studies beside the scores: readers, fairness, gate, regions, notes, probes."""
