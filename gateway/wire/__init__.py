"""The shapes of the protocols we speak: OpenAI, Anthropic, server-sent events, errors."""
