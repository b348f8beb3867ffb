"""What a request says about its sender: the one place that reads it."""

from __future__ import annotations

from starlette.requests import Request

from authserver.oauth.client_auth import PresentedCredentials
from authserver.oauth.errors import InvalidRequest
from authserver.oauth.form import Form
from authserver.tokens.client_certificate import ClientCertificate, NotACertificate, read_certificate


def presented(request: Request, form: Form) -> PresentedCredentials:
    """`form`: the parameters that may name and prove the client. Raises InvalidRequest for a certificate that cannot
    be read."""
    return PresentedCredentials(
        request.headers.get("authorization"), form, request.scope["route"], certificate_of(request)
    )


def certificate_of(request: Request) -> ClientCertificate | None:
    """What a trusted proxy says the client showed (`middleware.CertificateHeader` alone puts it there); None: nothing.

    Raises InvalidRequest when the proxy says something that is no certificate: to go on without one would turn a
    mistake of its configuration into tokens that are bound to nothing.
    """
    shown = request.scope.get("client_certificate")
    if shown is None:
        return None
    header, verified = shown
    try:
        return read_certificate(header, verified=verified)
    except NotACertificate as error:
        raise InvalidRequest("the client certificate cannot be read", detail=str(error)) from None
