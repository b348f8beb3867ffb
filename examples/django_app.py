"""A Django service that verifies its tokens locally: `ISSUER=... AUDIENCE=... python django_app.py runserver`."""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from authserver.verifier import Verifier
from authserver.verifier.wsgi import BearerAuth, current_token, require

settings.configure(ROOT_URLCONF=__name__, WSGI_APPLICATION=f"{__name__}.application", ALLOWED_HOSTS=["127.0.0.1"])
verifier = Verifier(os.environ["ISSUER"], audience=os.environ["AUDIENCE"])


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ready": verifier.ready})


@require(scope="orders:read")
def orders(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"orders_of": current_token().subject})


urlpatterns = [path("health", health), path("orders", orders)]
application = BearerAuth(get_wsgi_application(), verifier, exempt=["/health"])

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
