"""Which candidate breaks which constraint, and what is said or done where everybody breaks one."""
