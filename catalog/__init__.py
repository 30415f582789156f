"""What exists and what it costs: models, the backends that serve them, and the source of every fact."""

from .errors import (
    CatalogError,
    ImportFailedError,
    InvalidMeasurementError,
    InvalidOverlayError,
    InvalidPriceError,
    InvalidProfileError,
    ParetoGateError,
    UnknownModelError,
)
from .finding import Finding
from .pools.backend import (
    ANTHROPIC_MESSAGES,
    CONTINUED_PROMPTS,
    ECHOED_PROMPTS,
    FILLED_PROMPTS,
    OPENAI_RESPONSES,
    PROTOCOLS,
    Backend,
    BackendKind,
    DeploymentTier,
    Limits,
    Measured,
    PrivacyTier,
)
from .pools.globs import first_meant, is_meant
from .pools.pool import Floats, Pool, PoolEntry
from .profiles.chat import answers_text
from .profiles.measurement import Measurement
from .profiles.merge import merge_profiles
from .profiles.offer import Offer
from .profiles.price import Price, Usage
from .profiles.profile import CAPABILITIES, Ability, ModelProfile
from .profiles.provenance import Provenance, Trust
from .records import record
from .registry import Catalog
from .untrusted.printable import printable
from .untrusted.private_folders import make_private
from .untrusted.regular_files import check_file, read_file, read_text
from .untrusted.table_files import read_parquet
from .untrusted.yaml_texts import parse_yaml

__all__ = [
    "ANTHROPIC_MESSAGES",
    "CAPABILITIES",
    "CONTINUED_PROMPTS",
    "ECHOED_PROMPTS",
    "FILLED_PROMPTS",
    "OPENAI_RESPONSES",
    "PROTOCOLS",
    "Ability",
    "Backend",
    "BackendKind",
    "Catalog",
    "CatalogError",
    "DeploymentTier",
    "Finding",
    "Floats",
    "ImportFailedError",
    "InvalidMeasurementError",
    "InvalidOverlayError",
    "InvalidPriceError",
    "InvalidProfileError",
    "Limits",
    "Measured",
    "Measurement",
    "ModelProfile",
    "Offer",
    "ParetoGateError",
    "Pool",
    "PoolEntry",
    "Price",
    "PrivacyTier",
    "Provenance",
    "Trust",
    "UnknownModelError",
    "Usage",
    "answers_text",
    "check_file",
    "first_meant",
    "is_meant",
    "make_private",
    "merge_profiles",
    "parse_yaml",
    "printable",
    "read_file",
    "read_parquet",
    "read_text",
    "record",
]
