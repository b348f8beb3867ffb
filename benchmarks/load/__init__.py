"""The load generator: a closed loop over keep-alive connections, in a process of its own.

It knows HTTP/1.1 and how to chain refresh tokens, nothing else of the server. It may be slower than
the server: what the server spends is read from the server's own process.
"""
