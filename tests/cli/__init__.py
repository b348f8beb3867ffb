"""The command line, driven as a person would: real commands on a real SQLite database."""
