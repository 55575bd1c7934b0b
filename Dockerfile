# syntax=docker/dockerfile:1
# The pipeline with all its tools, for work pools and for Dask's workers (docs/scale.md):
#     docker build -t mmdet2tflite .
FROM python:3.12-slim-bookworm

# What OpenCV's wheel expects of the system.
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean && \
    apt-get update && \
    apt-get install --yes --no-install-recommends libgl1 libglib2.0-0

RUN useradd --create-home --uid 1000 pipeline && install --directory --owner pipeline /app
USER pipeline
WORKDIR /app

ENV PATH=/app/.venv/bin:$PATH \
    DO_NOT_TRACK=1 \
    MLFLOW_DISABLE_TELEMETRY=true \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    PYTHONUNBUFFERED=1

# Before the rest of the source: 9 GB that change with the lock only.
COPY --chown=pipeline pyproject.toml requirements.lock README.md LICENSE ./
COPY --chown=pipeline scripts/install.sh scripts/
COPY --chown=pipeline mmdet2tflite/__init__.py mmdet2tflite/
# Compiled now: containers would do so at every start.
RUN --mount=type=cache,target=/home/pipeline/.cache,uid=1000 \
    UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 scripts/install.sh

COPY --chown=pipeline . .
CMD ["mmdet2tflite", "--help"]
