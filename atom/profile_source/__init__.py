"""Python source of a profile, made from what describes a document: an example or a JSON Schema."""

from atom.profile_source.sample import read_sample
from atom.profile_source.schema import read_schema
from atom.profile_source.source import write_profiles

__all__ = ["read_sample", "read_schema", "write_profiles"]
