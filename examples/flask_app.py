"""A Flask service that verifies its tokens locally: `ISSUER=... AUDIENCE=... flask --app flask_app run --port 9000`."""

import os

from flask import Flask

from authserver.verifier import Verifier
from authserver.verifier.wsgi import BearerAuth, current_token, require

verifier = Verifier(os.environ["ISSUER"], audience=os.environ["AUDIENCE"])
app = Flask(__name__)
app.wsgi_app = BearerAuth(app.wsgi_app, verifier, exempt=["/health"])


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ready": verifier.ready}


@app.get("/orders")
@require(scope="orders:read")
def orders() -> dict[str, str]:
    return {"orders_of": current_token().subject}
