FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Wheels only, and only those whose hashes stand in the locks: nothing but Veille itself is built here.
COPY deploy/build.lock ./
RUN pip install --quiet --only-binary=:all: --require-hashes --requirement build.lock
COPY requirements.lock ./
RUN python3 -m venv --without-pip /opt/veille \
 && pip --python /opt/veille/bin/python install --quiet --no-compile --only-binary=:all: --require-hashes \
        --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
RUN pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/veille/bin/python install --quiet --no-compile --no-deps --no-index dist/*.whl
# By hash, because a layer rounds the times of files, and byte code that goes by them would be made again at each start.
# Forced, because byte code that is there already would be kept as it is.
RUN python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/veille/lib
# Nothing can be written later, and each start would make them again.
RUN /opt/veille/bin/python -m worker.analysis.text.inflection
COPY deploy/config.toml /etc/veille/
COPY rules /etc/veille/rules
# The worker's user reads these, whatever the umask of the checkout they came from; and a configuration written for a
# checkout, whose paths begin with `data/`, finds the volume.
RUN chmod -R u=rwX,go=rX /etc/veille && ln -s /data /etc/veille/data && mkdir -p /empty/data

FROM python:3.11-slim-bookworm
COPY --from=build /opt/veille /opt/veille
COPY --from=build /etc/veille /etc/veille
# A new volume takes over this owner. No name stands behind the number, so HOME has to be said.
COPY --from=build --chown=65532:65532 /empty/data /data
ENV PATH=/opt/veille/bin:$PATH \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VEILLE_CONFIG=/etc/veille/config.toml
USER 65532:65532
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["veille", "health"]
ENTRYPOINT ["veille"]
CMD ["run"]
