"""Requests that this server sends to addresses others gave it: bounded in every way, and to nobody's inside."""
