"""A browser as far as our pages need one: cookies, forms, redirects. No scripts, and nothing of this server inside.

    browser = Browser(site)
    page = await browser.get("/account/login")
    page = await browser.submit("login", username="ada", password=PASSWORD)

It keeps cookies under the rules of their `__Host-` prefix, sends the Fetch Metadata that a browser would, and follows
redirects on our own origin only: one that leaves it is returned as it is (`page.location`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx

from tests.site import ISSUER, Site

HERE = "192.0.2.7"
HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
MOST_REDIRECTS = 10
_VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})
_INLINE = frozenset({"a", "bdi", "code", "em", "span", "strong"})


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: Element | None = field(default=None, repr=False)
    children: list[Element] = field(default_factory=list, repr=False)
    pieces: list[str] = field(default_factory=list, repr=False)

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    @property
    def text(self) -> str:
        """As it is read: white space counts once."""
        return " ".join("".join(self.pieces).split())

    def all(self, *tags: str) -> list[Element]:
        found = [child for child in self.children if child.tag in tags]
        return found + [deeper for child in self.children for deeper in child.all(*tags)]


@dataclass
class Form(Element):
    @property
    def action(self) -> str:
        return self.attributes.get("action", "")

    @property
    def fields(self) -> dict[str, str]:
        """What it sends when nothing is typed and no button is named."""
        inputs = [item for item in self.all("input") if item.attributes.get("type") not in ("submit", "button")]
        return {
            item.attributes["name"]: item.attributes.get("value", "") for item in inputs if "name" in item.attributes
        }

    @property
    def buttons(self) -> dict[str, tuple[str, str] | None]:
        """By id: what a button adds to the form; None: nothing."""
        return {
            button.id: (button.attributes["name"], button.attributes.get("value", ""))
            if "name" in button.attributes
            else None
            for button in self.all("button")
        }


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.at = Element("#document", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs), f"an attribute twice: {attrs}"
        element = (Form if tag == "form" else Element)(tag, attributes, self.at)
        self.at.children.append(element)
        if tag not in _VOID:
            self.at = element

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"</{tag}> closes <{self.at.tag}>"
        if tag not in _INLINE:
            self.handle_data(" ")
        self.at = self.at.parent or self.root

    def handle_data(self, data: str) -> None:
        element: Element | None = self.at
        while element is not None:
            element.pieces.append(data)
            element = element.parent


class Page:
    """An answer as a browser shows it."""

    def __init__(self, response: httpx.Response, url: str, hops: Sequence[str] = ()) -> None:
        self.response = response
        self.url = url
        """Of this page, after redirects."""
        self.hops = tuple(hops)
        """Locations that were followed to get here."""
        self.document = Element("#document", {})
        if response.headers.get("content-type", "").startswith("text/html"):
            parser = _Parser()
            parser.feed(response.text)
            parser.close()
            self.document = parser.root

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def text(self) -> str:
        return " ".join(body.text for body in self.document.all("body"))

    @property
    def title(self) -> str:
        return " ".join(title.text for title in self.document.all("title"))

    @property
    def location(self) -> str:
        """Where it leads, if it is a redirect away from us; "" else."""
        return str(self.response.headers.get("location", ""))

    @property
    def answer(self) -> dict[str, str]:
        """The parameters of the authorization response in `location`, or in the form of a form_post page."""
        posted = self.find("form_post")
        if isinstance(posted, Form):
            return posted.fields
        return {name: values[0] for name, values in parse_qs(urlsplit(self.location).query).items()}

    @property
    def forms(self) -> dict[str, Form]:
        return {form.id: form for form in self.document.all("form") if isinstance(form, Form)}

    @property
    def alert(self) -> str:
        """What a screen reader is made to say."""
        return " ".join(
            element.text for element in _everything(self.document) if element.attributes.get("role") == "alert"
        )

    def find(self, id: str) -> Element | None:
        return next((element for element in _everything(self.document) if element.id == id), None)

    def shown(self, id: str) -> str:
        """The text of the element with this id."""
        element = self.find(id)
        assert element is not None, f"no #{id} on {self.url}: {self.text}"
        return element.text


def _everything(element: Element) -> list[Element]:
    return [item for child in element.children for item in (child, *_everything(child))]


class Browser:
    """One browser profile on one machine."""

    def __init__(self, site: Site, *, address: str = HERE, on: int = 0) -> None:
        transport = site.instances[on].http._transport
        app = transport.app  # type: ignore[attr-defined]  # httpx does not name it
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(address, 40002)), base_url=ISSUER, trust_env=False
        )
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []
        """Every Set-Cookie line so far."""
        self.page = Page(httpx.Response(204), ISSUER + "/")

    async def get(self, path: str, *, follow: bool = True, **headers: str) -> Page:
        """Open an address, as if it was typed. Headers are keyword arguments: `sec_fetch_site="cross-site"`."""
        return await self._visit("GET", path, None, {"sec-fetch-site": "none"} | _headers(headers), follow)

    async def post(
        self, path: str, *, follow: bool = True, headers: Mapping[str, str] | None = None, **form: str
    ) -> Page:
        """What a form on a page of ours would send."""
        sent = {"sec-fetch-site": "same-origin"} | dict(headers or {})
        return await self._visit("POST", path, form, sent, follow)

    async def submit(self, form: str, button: str | None = None, *, follow: bool = True, **typed: str) -> Page:
        """Fill in the form with this id on the current page and press a button (by id); Enter presses the first.

        What is typed must have a field.
        """
        found = self.page.forms.get(form)
        assert found is not None, f"no form #{form} on {self.page.url}: {self.page.text}"
        assert set(typed) <= set(found.fields), f"no field for {set(typed) - set(found.fields)}"
        pressed = found.buttons[button] if button else next(iter(found.buttons.values()), None)
        data = found.fields | typed | (dict([pressed]) if pressed else {})
        target = urljoin(self.page.url, found.action) if found.action else self.page.url
        assert target.startswith(ISSUER + "/"), f"this form leads away: {target}"
        if found.attributes.get("method", "get").lower() == "get":
            return await self.get(
                f"{target.partition('?')[0]}?{urlencode(data)}", follow=follow, sec_fetch_site="same-origin"
            )
        return await self.post(target, follow=follow, **data)

    async def _visit(
        self, method: str, path: str, form: Mapping[str, str] | None, headers: Mapping[str, str], follow: bool
    ) -> Page:
        url, hops = urljoin(ISSUER + "/", path), list[str]()
        response = await self._send(method, url, form, headers)
        while follow and response.has_redirect_location:
            target = urljoin(url, response.headers["location"])
            if not target.startswith(ISSUER + "/"):
                break
            assert response.status_code in (302, 303), f"{response.status_code} would send the form again"
            assert len(hops) < MOST_REDIRECTS, f"round and round: {hops}"
            hops.append(target)
            url = target
            response = await self._send("GET", url, None, headers)
        self.page = Page(response, url, hops)
        return self.page

    async def _send(
        self, method: str, url: str, form: Mapping[str, str] | None, given: Mapping[str, str]
    ) -> httpx.Response:
        headers = {"accept": HTML, "user-agent": "Mozilla/5.0 (a browser of tests)"}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        content = None if form is None else urlencode(form)
        sent = {name: value for name, value in (headers | dict(given)).items() if value}
        response = await self._http.request(method, url, headers=sent, content=content)
        self._keep(response)
        return response

    def _keep(self, response: httpx.Response) -> None:
        for line in response.headers.get_list("set-cookie"):
            self.set_cookies.append(line)
            for name, morsel in SimpleCookie(line).items():
                if name.startswith("__Host-"):
                    assert (morsel["secure"], morsel["path"], morsel["domain"]) == (True, "/", ""), line
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}
