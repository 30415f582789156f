"""The server as a process: its socket, its connections, its workers, its memory and its end."""
