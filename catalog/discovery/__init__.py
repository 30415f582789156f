"""What a gateway finds by itself: servers on this machine, whose weights these hold, and what keys open."""
