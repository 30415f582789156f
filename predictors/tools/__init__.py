"""Finding the few tools a request needs among the many an application offers."""

from .errors import InvalidToolError, ToolError, UnknownToolError
from .methods import METHODS, build_retriever
from .protocol import ToolRanking, ToolRetriever
from .registry import RegistryChange, Tool, ToolRegistry
from .risk import ToolRisk, risk_of
from .saved import load_retriever, save_retriever
from .selection import ToolSelection, select_tools
from .single import SingleChannelRetriever
from .stacked import StackedRetriever
from .statistics import UsageStatistics
from .usage import ToolUsage

__all__ = [
    "METHODS",
    "InvalidToolError",
    "RegistryChange",
    "SingleChannelRetriever",
    "StackedRetriever",
    "Tool",
    "ToolError",
    "ToolRanking",
    "ToolRegistry",
    "ToolRetriever",
    "ToolRisk",
    "ToolSelection",
    "ToolUsage",
    "UnknownToolError",
    "UsageStatistics",
    "build_retriever",
    "load_retriever",
    "risk_of",
    "save_retriever",
    "select_tools",
]
