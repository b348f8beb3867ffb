"""Log-ins that are still on: begin, find, list and end them.

Owns deadlines and the life of sessions and of the refresh families born with them. Knows no passwords
(that is `accounts`) and no HTTP.
"""
