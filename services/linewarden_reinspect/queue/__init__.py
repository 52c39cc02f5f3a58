"""The queue of re-inspection: a view in Redis of the topic `reinspections`, and nothing else."""
