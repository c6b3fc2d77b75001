# The image of the injector, the sidecar and the redirect: a bundle each, the native addon, the pinned Node, the tools
# that change a pod's network, and the list of all that is in it.
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" -t sluice:0.1.0 .

# Digests of all platforms together. scripts/image/update_bases.sh brings them up to date; another base can be given with
# --build-arg, such as those of scripts/image/local_bases.sh.
ARG DEBIAN_IMAGE=debian:bookworm-slim@sha256:7c7b2c966bc9ee8cedfeef67e0e279108992c77681fa595db4a9d65c06ccc587
ARG NODE_IMAGE=node:24-bookworm-slim@sha256:d6aa754f16b3197301076f047b5def2f02ea1dbbc2ca920407d46d7ec7f87b20

FROM ${DEBIAN_IMAGE} AS tools
# The package iptables has both back ends. netbase has /etc/protocols, by which nft knows names such as ipv6-icmp.
# hadolint ignore=DL3008 # Debian keeps no old versions; sbom.cdx.json has those that came
RUN apt-get update \
  && apt-get install -y --no-install-recommends iptables iproute2 netbase nftables \
  && rm -rf /var/lib/apt/lists/*

FROM ${NODE_IMAGE} AS build
WORKDIR /src
# hadolint ignore=DL3008 # as above
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json .npmrc ./
# Every package by its hash, and none that only tests need; no install script runs, whose downloads no hash would cover.
RUN npm ci --ignore-scripts --omit=dev --no-progress
COPY LICENSE LICENSE
COPY common common
COPY policy policy
COPY flows flows
COPY sources sources
COPY native native
COPY sidecar sidecar
COPY injector injector
COPY scripts scripts
RUN npm run bundle
COPY --from=tools /var/lib/dpkg/status /usr/lib/os-release /tools/
RUN npm run -s image:contents -- /tools /image

FROM tools
ARG DEBIAN_IMAGE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sluice" \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.base.name="${DEBIAN_IMAGE}"
# /sluice, and in /usr/local/bin the very Node that package-lock.json pins and the tests run on; npm stays behind.
COPY --from=build /image/ /
# Node takes no flags from the environment of a base image, such as --inspect.
ENV NODE_OPTIONS=""
# The injector's user. The sidecar and the redirect run as user 0: their containers say so, with what they may do.
USER 65532:65532
# Containers choose the program: node --disable-sigusr1 /sluice/injector.mjs, or the same with /sluice/sidecar.mjs run.
# The flag keeps a signal from opening Node's inspector.
CMD ["node", "--disable-sigusr1", "/sluice/injector.mjs", "--help"]
