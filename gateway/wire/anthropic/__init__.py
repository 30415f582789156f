"""Anthropic's Messages, told to Anthropic itself: as they came where the client speaks them, else translated."""
