# Two stages: what builds stays behind. The image runs as an ordinary user on a read-only root file system.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /app && /app/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY authserver authserver
COPY migrations migrations
# hatchling builds the wheel here and is not installed into /app
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && /app/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="authserver" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin authserver \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/authserver /var/lib/authserver/keys
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AUTHSERVER_HOST=0.0.0.0 \
    AUTHSERVER_PORT=8000 \
    AUTHSERVER_LOG_FORMAT=json \
    AUTHSERVER_DATABASE_URL=sqlite+aiosqlite:////var/lib/authserver/authserver.db \
    AUTHSERVER_KEYS_DIR=/var/lib/authserver/keys
WORKDIR /var/lib/authserver
# State lives here and in the database; everything else may be read-only (give it a tmpfs at /tmp).
VOLUME ["/var/lib/authserver"]
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["authserver"]
CMD ["serve"]
