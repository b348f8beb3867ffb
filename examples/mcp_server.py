"""An MCP server whose tools need a token: `ISSUER=... AUDIENCE=https://notes.example/mcp uvicorn mcp_server:app`."""

import os

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from authserver.verifier import ProtectedResource, Verifier
from authserver.verifier.asgi import BearerAuth

issuer, resource = os.environ["ISSUER"], os.environ["AUDIENCE"]
host = resource.split("/")[2]
verifier = Verifier(issuer, audience=resource)
server = MCPServer("notes")


@server.tool()
def list_notes() -> list[str]:
    """The notes of whoever asks."""
    return ["Buy milk", "Read RFC 8707"]


app = server.streamable_http_app(
    transport_security=TransportSecuritySettings(allowed_hosts=[host], allowed_origins=[f"https://{host}"])
)
app.add_middleware(
    BearerAuth,
    verifier=verifier,
    resource_metadata=ProtectedResource(resource, [issuer], scopes_supported=["notes:read"]),
)
