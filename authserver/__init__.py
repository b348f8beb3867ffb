"""authserver: a standalone token and session authorization server."""

__version__ = "0.1.0"
