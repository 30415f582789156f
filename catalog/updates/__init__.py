"""How a catalog moves on: sources are read and imported, prices renewed, and the difference is told and written."""
