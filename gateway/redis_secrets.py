"""What Redis says of a failure, without the secrets of its address: some servers quote what they were sent."""

from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["without_secrets"]

_SECRETS = ("password", "ssl_password")


def without_secrets(text: str, url: str) -> str:
    """The text, where the address's passwords, however they are written, stand as `***`."""
    parts = urlsplit(url)
    secrets = {parts.password, unquote(parts.password or "")}
    secrets |= {value for name, value in parse_qsl(parts.query) if name in _SECRETS}
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
