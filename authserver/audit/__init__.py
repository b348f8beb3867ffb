"""What happened, who did it, and when: the catalogue of events and the one way to build them.

Owns the names and the shape of events. It does not write them: the store verb that makes a change writes
its event in the same transaction, and `AuditStore.append` takes the few that change nothing else.
"""
