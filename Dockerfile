# The same steps as `make run`, in two stages: the tools that install stay out of what runs.
FROM python:3.11-slim AS build
WORKDIR /srv/pulseboard
COPY requirements.lock pyproject.toml ./
RUN python -m venv .venv \
 && .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.lock
COPY app app
COPY models models
COPY probes probes
COPY notifiers notifiers
COPY pages pages
COPY migrations migrations
RUN .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --editable . \
 && .venv/bin/python -m compileall -q app models probes notifiers pages migrations

FROM python:3.11-slim
# PostgreSQL needs a named user, and refuses root.
RUN useradd --system --uid 10001 --no-create-home --home-dir /srv/pulseboard pulseboard \
 && install --directory --owner pulseboard --mode 0700 /data
COPY --from=build /srv/pulseboard /srv/pulseboard
WORKDIR /srv/pulseboard
USER pulseboard
ENV PATH=/srv/pulseboard/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PULSEBOARD_HOST=0.0.0.0 \
    PULSEBOARD_PORT=8080 \
    PULSEBOARD_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/healthz' % os.environ['PULSEBOARD_PORT'], timeout=4)"]
ENTRYPOINT ["pulseboard"]
CMD ["serve"]
