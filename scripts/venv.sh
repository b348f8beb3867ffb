# Sourced by the other scripts: makes .venv from a hashed lock, again only when the lock changed.
#   ensure_venv requirements.lock|requirements-test.lock
cd "$(dirname "$0")/.." || exit 1

ensure_venv() {
    stamp=".venv/.made-from-$1"
    if [ ! -x .venv/bin/python ]; then
        "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
            echo "authserver needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
        "${PYTHON:-python3}" -m venv .venv || exit 1
    fi
    cmp -s "$1" "$stamp" && return
    echo "Installing $1 into .venv ..." >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$1" || exit 1
    echo "$PWD" > "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/authserver-checkout.pth"
    printf '#!/bin/sh\nexec "%s/.venv/bin/python" -m authserver "$@"\n' "$PWD" > .venv/bin/authserver
    chmod +x .venv/bin/authserver
    cp "$1" "$stamp"
}
