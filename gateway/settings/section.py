"""What every section of the configuration is: frozen, and without keys that nobody knows."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import GatewayError

__all__ = ["Count", "InvalidSettingsError", "NotNegative", "Positive", "Section", "Share"]

Share = Annotated[float, Field(ge=0, le=1)]
# Nobody can wait, or pay, without end: timers and sums would break.
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class InvalidSettingsError(GatewayError, ValueError):
    """A configuration key or value is wrong; the message names it, where it stands and what is allowed."""


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
