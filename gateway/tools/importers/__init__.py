"""Tools of others: declarations, OpenAPI documents and MCP servers, whose words are bounded."""
