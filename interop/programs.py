"""What no package index has and a distribution brings.

python -m interop.programs      # the Debian packages that are missing here, on one line
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PACKAGES = {"chromium": "chromium", "nginx": "nginx", "apache2": "apache2-bin"}
"""Program -> Debian package."""
OTHER_NAMES = {"chromium": ("google-chrome",), "apache2": ("httpd",)}
MODULE_FOLDERS = tuple(Path(folder) for folder in ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules"))
OPENID_MODULE, OPENID_PACKAGE = "mod_auth_openidc.so", "libapache2-mod-auth-openidc"


class Missing(RuntimeError):
    """It is not installed here."""


def program(name: str) -> str:
    """Its path. Raises Missing."""
    everywhere = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for each in (name, *OTHER_NAMES.get(name, ())):
        found: str | None = shutil.which(each, path=everywhere)
        if found is not None:
            return found
    raise Missing(f"no {name} on this machine; on Debian: apt-get install {PACKAGES[name]}")


def apache_modules() -> Path:
    """The folder of them, the one for OpenID Connect among them. Raises Missing."""
    for folder in MODULE_FOLDERS:
        if (folder / OPENID_MODULE).exists():
            return folder
    raise Missing(f"no {OPENID_MODULE} on this machine; on Debian: apt-get install {OPENID_PACKAGE}")


def missing_packages() -> list[str]:
    lacking = []
    for name, package in PACKAGES.items():
        try:
            program(name)
        except Missing:
            lacking.append(package)
    try:
        apache_modules()
    except Missing:
        lacking.append(OPENID_PACKAGE)
    return lacking


if __name__ == "__main__":
    print(*missing_packages())
