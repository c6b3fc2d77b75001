# syntax=docker/dockerfile:1
# The image of the injector, the sidecar and the redirect: a bundle each, the native addon, the pinned Node, and the
# tools that change a pod's network.   docker build -t sluice:0.1.0 .

FROM node:24-bookworm-slim AS build
WORKDIR /src
# hadolint ignore=DL3008 # Debian keeps no old versions; the release is pinned by the base image
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-progress
COPY common common
COPY policy policy
COPY native native
COPY sidecar sidecar
COPY injector injector
COPY scripts scripts
RUN npm run bundle

FROM debian:bookworm-slim
# The package iptables has both back ends. netbase has /etc/protocols, by which nft knows names such as ipv6-icmp.
# hadolint ignore=DL3008 # as above
RUN apt-get update \
  && apt-get install -y --no-install-recommends iptables iproute2 netbase nftables \
  && rm -rf /var/lib/apt/lists/*
# The very Node that package-lock.json pins and the tests run on; npm stays behind.
COPY --from=build /src/node_modules/node/bin/node /usr/local/bin/node
COPY --from=build /src/dist /sluice
# Node takes no flags from the environment of a base image, such as --inspect.
ENV NODE_OPTIONS=""
# The injector's user. The sidecar and the redirect run as user 0: their containers say so, with what they may do.
USER 65532:65532
# Containers choose the program: node --disable-sigusr1 /sluice/injector.mjs, or the same with /sluice/sidecar.mjs run.
# The flag keeps a signal from opening Node's inspector.
CMD ["node", "--disable-sigusr1", "/sluice/injector.mjs", "--help"]
