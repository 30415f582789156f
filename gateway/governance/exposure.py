"""Who can reach the gateway, and whether they need a key."""

from ipaddress import ip_address

from gateway.settings import InvalidSettingsError, Settings

__all__ = ["check_exposure", "is_loopback", "keys_required"]


def is_loopback(host: str) -> bool:
    """Only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name of which nobody knows who else reaches it


def keys_required(settings: Settings, *, has_keys: bool) -> bool:
    """What the operator said, else: beyond loopback, once there are keys."""
    if settings.auth.required is not None:
        return settings.auth.required
    return has_keys and not is_loopback(settings.server.host)


def check_exposure(settings: Settings, *, has_keys: bool) -> None:
    """Do not hand other people's provider keys to whoever asks.

    Raises:
        InvalidSettingsError: strangers could come in, or nobody could; the message says what to do.
    """
    if "*" in settings.server.cors_origins and not (
        settings.auth.allow_open or keys_required(settings, has_keys=has_keys)
    ):
        raise InvalidSettingsError(
            "server.cors_origins: with * and without keys, any web page could ask at your expense; name the origins,"
            " or set auth.required = true"
        )
    if settings.auth.required and not has_keys:
        raise InvalidSettingsError(
            "auth.required: there is no API key yet; make one by `paretogate keys create --tenant NAME`"
        )
    if is_loopback(settings.server.host) or settings.auth.allow_open or keys_required(settings, has_keys=has_keys):
        return
    raise InvalidSettingsError(
        f"server.host: {settings.server.host} can be reached from elsewhere, and no API key is required;"
        " make a key by `paretogate keys create --tenant NAME`, or set auth.allow_open = true"
        " (PARETOGATE_AUTH__ALLOW_OPEN=true) where something else keeps strangers out"
    )
