"""Model spaces of either NNI: their choices, and a record for each sample."""
