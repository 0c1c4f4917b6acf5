# The agent and the hub as images for amd64: docker build --target agent . and docker build --target hub .
# "npm run package" comes first. For arm64 devices: Dockerfile.arm64. How to run them: docs/images.md.
ARG BASE=debian:12-slim

FROM ${BASE} AS unpacked
ADD dist/packages/holdfast-agent-*-linux-amd64.tar.gz dist/packages/holdfast-[0-9]*-linux-amd64.tar.gz /package/

FROM ${BASE} AS hub
LABEL org.opencontainers.image.title="holdfast" \
      org.opencontainers.image.description="The hub of Holdfast, and the operator's commands" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=unpacked /package/holdfast-[0-9]*-linux-amd64 /opt/holdfast/
# What a new volume there begins as.
RUN mkdir -p -m 0700 /var/lib/holdfast/hub && chown 65532:65532 /var/lib/holdfast/hub
ENV PATH=/opt/holdfast/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 65532:65532
EXPOSE 6443 6444 8883
ENTRYPOINT ["holdfast"]
CMD ["hub"]

FROM ${BASE} AS agent
LABEL org.opencontainers.image.title="holdfast-agent" \
      org.opencontainers.image.description="Runs what its hub wants on this device, connected or not" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=unpacked /package/holdfast-agent-*-linux-amd64 /opt/holdfast-agent/
ENV PATH=/opt/holdfast-agent/bin:/usr/sbin:/usr/bin:/sbin:/bin
HEALTHCHECK --interval=2m --timeout=20s --start-period=1m CMD ["holdfast-agent", "status"]
ENTRYPOINT ["holdfast-agent"]
CMD ["run"]
