# One image for fleets, processors and the setup of topics and tables: `python -m factorylab.<module>`, configured by
# its environment. A second target, `netfault`, is the helper that filters packets inside another container's network.
#
#   docker build -t factorylab .                       docker build -t factorylab-netfault --target netfault .
#
# Where no registry is at hand, PYTHON_IMAGE takes any base with Python 3.11 or newer (.ci/images makes one from Debian
# packages). Plain Dockerfile syntax only, so that builders without BuildKit can build it.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON_IMAGE} AS netfault
RUN command -v iptables >/dev/null \
 || (apt-get update && apt-get install -y --no-install-recommends iptables && rm -rf /var/lib/apt/lists/*)
ENTRYPOINT ["iptables"]
CMD ["-S"]

# Of the locked packages, those that the containers need, with the same versions and checksums as everywhere else.
# `uv pip check` fails the build when one of them needs a package that is not in the list.
FROM ${PYTHON_IMAGE} AS packages
ARG PACKAGES="alembic annotated-types confluent-kafka greenlet javaproperties kafka-python llvmlite mako markupsafe \
  msgspec numba numpy pandas prometheus-client psycopg2-binary pyarrow pydantic pydantic-core pydantic-settings python-dateutil \
  python-dotenv pyyaml sqlalchemy structlog typing-extensions typing-inspection tzdata xxhash"
# A bundle of certificates inside the image, where the way to the packages is a proxy with a certificate of its own.
ARG SSL_CERT_FILE
WORKDIR /build
COPY bootstrap.lock requirements.lock ./
RUN python3 -m venv uv \
 && uv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r bootstrap.lock \
 && python3 -m venv --without-pip /opt/venv \
 && awk -v names="$PACKAGES" \
      'BEGIN { split(names, list, " "); for (i in list) wanted[list[i]] = 1 } \
       /^[a-z0-9]/ { split($0, part, "=="); keep = part[1] in wanted } keep && !/^ *#/' \
      requirements.lock > wanted.lock \
 && uv/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/venv/bin/python \
      --require-hashes --no-deps -r wanted.lock \
 && uv/bin/uv pip check --quiet --python /opt/venv/bin/python

FROM ${PYTHON_IMAGE} AS application
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=packages /opt/venv /opt/venv
COPY factorylab /app/factorylab
WORKDIR /app
# The build fails, and not the first start, where an import lacks a package or a library of the base.
RUN python -m compileall -q factorylab \
 && python -c 'import factorylab.factory.fleet.fleet, factorylab.factory.processor.processor, factorylab.execution.setup'
# What the detectors compile is made here: the file system is read-only, and a start is no time for compiling.
RUN NUMBA_CACHE_DIR=/opt/compiled python -m factorylab.factory.processor.warm_up
ENV COMPILED_DETECTORS=/opt/compiled NUMBA_CACHE_DIR=/tmp/compiled
USER 10001:10001
