"""For resource servers: validating tokens locally and following revocations.

Empty until the revocation log is there; the rule that it imports nothing else of ours holds from the first line on.
"""
