"""What `authserver dev` prints: lines that show the server at work."""

from __future__ import annotations

import json

from authserver.cli.demo import Demo


def walkthrough(issuer: str, demo: Demo, api: str | None = None) -> str:
    """Lines to copy and paste into a shell, with the real values. `api`: of the example resource server."""
    login = json.dumps({"username": demo.username, "password": demo.password, "client_id": demo.APP})
    pick = 'printf %s "$TOKENS" | sed \'s/.*"{0}": *"\\([^"]*\\)".*/\\1/\''
    access, refresh = pick.format("access_token"), pick.format("refresh_token")
    service = f"{demo.SERVICE}:{demo.service_secret}"
    call_api = f'curl -s {api}/ -H "Authorization: Bearer $ACCESS"; echo'
    called = f"\n# call the example API, which verifies the token by itself\n{call_api}\n" if api else ""
    refused = f"\n# and by the example API, which was told and asks nobody\n{call_api}\n" if api else ""
    return f"""
authserver for development at {issuer}. Copy these lines into another terminal:

# log in: an access token that lives five minutes, and a refresh token
TOKENS=$(curl -s {issuer}/login -H 'Content-Type: application/json' -d '{login}'); echo "$TOKENS"
ACCESS=$({access}); REFRESH=$({refresh})

# call something with the access token
curl -s {issuer}/session -H "Authorization: Bearer $ACCESS"; echo

# refresh: new tokens, and the refresh token has changed
TOKENS=$(curl -s {issuer}/token -d grant_type=refresh_token -d client_id={demo.APP} -d "refresh_token=$REFRESH"); \
echo "$TOKENS"
ACCESS=$({access}); REFRESH=$({refresh})

# introspect, as the resource server that the token is meant for
curl -s {issuer}/introspect -u '{service}' -d "token=$ACCESS"; echo
{called}
# in a browser, as {demo.username} with the password {demo.password}: the account, its sessions and its applications
#   {issuer}/account

# list the sessions of this user
curl -s {issuer}/sessions -H "Authorization: Bearer $ACCESS"; echo

# revoke
curl -s -o /dev/null -w '%{{http_code}}\\n' {issuer}/revoke -d client_id={demo.APP} -d "token=$REFRESH"

# and see it refused: by introspection, and by this server itself
curl -s {issuer}/introspect -u '{service}' -d "token=$ACCESS"; echo
curl -s {issuer}/session -H "Authorization: Bearer $ACCESS"; echo
{refused}"""
