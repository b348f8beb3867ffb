"""Clients that come by themselves: dynamic registration (RFC 7591, RFC 7592) and Client ID Metadata Documents.

Owns what strangers may say about themselves, how much of it counts, how often they may come and when they are
forgotten. The rules for what a client may be at all are in `administration`; it knows no HTTP of ours.
"""
