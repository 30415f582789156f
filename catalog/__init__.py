"""What exists and what it costs: models, the backends that serve them, and the source of every fact."""

from .backend import (
    ANTHROPIC_MESSAGES,
    CONTINUED_PROMPTS,
    OPENAI_RESPONSES,
    PROTOCOLS,
    Backend,
    BackendKind,
    DeploymentTier,
    Limits,
    Measured,
    PrivacyTier,
)
from .chat import answers_text
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
from .globs import is_meant
from .measurement import Measurement
from .merge import merge_profiles
from .offer import Offer
from .pool import Floats, Pool, PoolEntry
from .price import Price, Usage
from .printable import printable
from .private_folders import make_private
from .profile import CAPABILITIES, Ability, ModelProfile
from .provenance import Provenance, Trust
from .records import record
from .registry import Catalog
from .regular_files import check_file, read_file, read_text
from .table_files import read_parquet
from .yaml_texts import parse_yaml

__all__ = [
    "ANTHROPIC_MESSAGES",
    "CAPABILITIES",
    "CONTINUED_PROMPTS",
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
