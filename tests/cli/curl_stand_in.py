"""The few options of curl that the README uses, for machines without it."""

from __future__ import annotations

import argparse
import base64
import http.client
import sys
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    options = _options()
    url = urlsplit(options.url)
    headers = dict(header.split(": ", 1) for header in options.header)
    body = "&".join(options.data) or None
    if body is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    if options.user:
        headers["Authorization"] = "Basic " + base64.b64encode(options.user.encode()).decode()
    if options.cookies:
        headers["Cookie"] = Path(options.cookies).read_text()
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    connection.request(options.method or ("POST" if body else "GET"), url.path, body, headers)
    answer = connection.getresponse()
    content = answer.read().decode()
    if options.jar:
        cookies = [cookie.split(";")[0] for cookie in answer.msg.get_all("Set-Cookie", [])]
        Path(options.jar).write_text("; ".join(cookies))
    if not options.output:
        sys.stdout.write(content)
    if options.write_out:
        sys.stdout.write(options.write_out.replace("%{http_code}", str(answer.status)).replace("\\n", "\n"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-H", dest="header", action="append", default=[])
    parser.add_argument("-d", dest="data", action="append", default=[])
    for letter, name in zip("uXowcb", ("user", "method", "output", "write_out", "jar", "cookies"), strict=True):
        parser.add_argument(f"-{letter}", dest=name)
    parser.add_argument("url")
    return parser.parse_args()


main()
