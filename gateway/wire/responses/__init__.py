"""OpenAI's Responses protocol: its requests as chats, and chats' answers as its own."""
