# The service: evervec worker, evervec serve, and every other command. Secrets are files: see deploy/docker/with-secrets.
FROM python:3.13-slim-trixie AS build
COPY pyproject.toml README.md LICENSE CHANGELOG.md /src/
COPY sql /src/sql
COPY migrations /src/migrations
COPY webhook /src/webhook
RUN python -m venv /opt/evervec && /opt/evervec/bin/pip install --no-cache-dir "/src[local,webhook]"

FROM python:3.13-slim-trixie
COPY --from=build /opt/evervec /opt/evervec
COPY deploy/docker /opt/evervec/bin/
ENV PATH=/opt/evervec/bin:$PATH EVERVEC_LOG_FORMAT=json
USER 65534:65534
WORKDIR /tmp
ENTRYPOINT ["with-secrets"]
CMD ["evervec", "worker"]
