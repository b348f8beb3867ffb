# Sourced by the other scripts: makes .venv from a hashed lock, again only when the lock changed.
#   ensure_venv requirements.lock|requirements-test.lock
cd "$(dirname "$0")/.." || exit 1

ensure_venv() {
    stamp=".venv/.made-from-$1"
    [ -x .venv/bin/python ] || make_venv "${PYTHON:-python3}"
    cmp -s "$1" "$stamp" && return
    echo "Installing $1 into .venv ..." >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$1" || exit 1
    echo "$PWD" > "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/authserver-checkout.pth"
    printf '#!/bin/sh\nexec "%s/.venv/bin/python" -m authserver "$@"\n' "$PWD" > .venv/bin/authserver
    chmod +x .venv/bin/authserver
    cp "$1" "$stamp"
}

make_venv() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "authserver needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
    # Half an environment must not be taken for a whole one at the next start.
    trap 'rm -rf .venv; exit 130' INT TERM
    "$1" -m venv .venv >&2 || {
        rm -rf .venv
        package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        echo "$1 cannot make a virtual environment; on Debian and Ubuntu it needs the package $package" >&2; exit 1; }
    trap - INT TERM
}
