# One box: the daemon with the CPU runtime. Settings, camera list and data come as a volume:
#   docker build -t gridwatch . && docker run -v /srv/town:/town gridwatch run --settings /town/settings.yaml
FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/gridwatch \
    && /opt/gridwatch/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && /opt/gridwatch/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 gridwatch
COPY --from=build /opt/gridwatch /opt/gridwatch
USER gridwatch
ENV PATH=/opt/gridwatch/bin:$PATH
VOLUME /town
ENTRYPOINT ["gridwatch"]
CMD ["run", "--settings", "/town/settings.yaml"]
