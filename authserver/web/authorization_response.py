"""The authorization response on its way through the browser (RFC 6749 section 4.1.2, OAuth 2.0 Form Post)."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from authserver.oauth.authorization import AuthorizationAnswer
from authserver.web.answers import NO_STORE
from authserver.web.form_post import form_post_page

SEE_OTHER = 303
"""Never 307: it would have the browser send our form, and so a password, to the client (RFC 9700 section 4.12)."""


def authorization_response(answer: AuthorizationAnswer) -> Response:
    if answer.response_mode == "form_post":
        return form_post_page(answer.redirect_uri, answer.parameters)
    # A query that was registered is kept (RFC 6749 section 3.1.2); a fragment cannot be registered.
    glue = "&" if "?" in answer.redirect_uri else "?"
    location = answer.redirect_uri + glue + urlencode(answer.parameters)
    return Response(status_code=SEE_OTHER, headers={"Location": location, **NO_STORE})
