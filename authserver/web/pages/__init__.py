"""Pages for people: log in, consent, the account. Plain forms with stable ids and names; nothing needs a script.

`web.html` renders them (templates/ and static/ are here). What a page shows and a button does is in one file a page;
what happens then is decided below: by `accounts.login`, `oauth.authorization` and `sessions.lifecycle`.
"""
