"""The gateway's own commands, one file each; `gateway/cli.py` loads the one that is called."""
