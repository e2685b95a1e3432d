# One image for every role: `docker run flow-atom listener`, `worker`, `recovery`, …
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
# The extras that are installed; a database for the history needs `history` as well (35 MB).
ARG EXTRAS="flower tracing"

FROM ${PYTHON_IMAGE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends tini
ARG EXTRAS
WORKDIR /build
RUN python -m venv --without-pip /opt/atom
# The dependencies have a layer of their own, which a change of our code leaves as it is.
COPY pyproject.toml constraints.txt ./
COPY deploy/docker/requirements.py deploy/docker/
RUN python deploy/docker/requirements.py ${EXTRAS} > requirements.txt \
 && pip --python /opt/atom/bin/python install --no-cache-dir --no-compile \
      -r requirements.txt -c constraints.txt \
 && pip install --no-cache-dir -c constraints.txt hatchling
COPY README.md LICENSE ./
COPY atom atom
COPY workers workers
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheels . \
 && pip --python /opt/atom/bin/python install --no-cache-dir --no-compile --no-deps wheels/*.whl
# Bytecode of what the roles import, the standard library's too: its container cannot write it, and
# that of all the rest would double the image.
COPY deploy/docker/warm_up.py deploy/docker/
RUN PYTHONPYCACHEPREFIX=/opt/atom/bytecode /opt/atom/bin/python deploy/docker/warm_up.py

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent atom \
 && mkdir /services /data /keys \
 && chown atom /data /keys
# An init: a process with number 1 would ignore the signals it has no handler for yet.
COPY --from=build /usr/bin/tini /usr/bin/tini
COPY --from=build /opt/atom /opt/atom
ENV PATH=/opt/atom/bin:$PATH \
    PYTHONPYCACHEPREFIX=/opt/atom/bytecode \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The user's services are found in the working directory.
WORKDIR /services
USER atom
EXPOSE 8077
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["atom-health"]
ENTRYPOINT ["tini", "--", "atom"]
CMD ["--help"]
