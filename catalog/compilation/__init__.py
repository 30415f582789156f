"""The steps by which `catalog.compile` builds what ships: read the tables, join, settle the facts, measure."""
