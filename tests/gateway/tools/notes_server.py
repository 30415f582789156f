"""A real MCP server with two tools, on standard input or, given a port, on streamable HTTP."""

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("notes")


@server.tool(description="Count the words of a text.", annotations=ToolAnnotations(readOnlyHint=True))
def count_words(text: str) -> str:
    return str(len(text.split()))


@server.tool(description="Delete every note for good.", annotations=ToolAnnotations(destructiveHint=True))
def delete_notes() -> str:
    raise ValueError("there are no notes")


if __name__ == "__main__":
    server.run("stdio")
