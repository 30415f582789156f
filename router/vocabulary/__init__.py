"""How it can be said: body, headers, alias, prompt, other gateways' words and a configuration, read into one form."""
