"""Anthropic's Messages protocol at our door: its requests as chats, and chats' answers as its own."""
