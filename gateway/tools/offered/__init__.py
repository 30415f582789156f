"""The tools that a request brings: as read, as its key leaves them, and how and to whom they are to be given."""
