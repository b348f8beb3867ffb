"""Keys and what is made with them: signing keys, access tokens, refresh tokens, session cookies.

Owns the master key, the key ring and its rotation, the JWT format and the handles (opaque tokens).
It decides nothing about who may have a token, knows no HTTP, and keeps nothing but what the stores keep.
The only package that speaks PyJWT.
"""
