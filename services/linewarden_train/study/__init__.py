"""A study on one set by cross-fitting over its groups: ablation of the tasks, the indicator against its rivals."""
