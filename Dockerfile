# The image of web, worker and beat in docker-compose.yml.
FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
# pg_dump and pg_restore of the server's own major version, for `manage.py backup` and `restore`.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client-15 && rm -rf /var/lib/apt/lists/*
WORKDIR /velox
# The clients of Kafka and of the archive are in it: .env may ask for both.
COPY requirements.txt requirements-archive.txt requirements-kafka.txt ./
RUN pip install --no-deps --require-hashes -r requirements.txt -r requirements-archive.txt -r requirements-kafka.txt && pip check
COPY manage.py ./
COPY velox_site velox_site
COPY lab lab
COPY trading trading
COPY timeseries timeseries
RUN useradd --uid 1000 velox && mkdir -m 0700 /data && chown velox /data
USER velox
VOLUME /data
