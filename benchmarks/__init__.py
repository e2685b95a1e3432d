"""The benchmark: flow-atom against the least one would write with the same libraries."""
