"""Knows HTTP, decides nothing: doors, upstreams, the journal and the joining of the parts."""
