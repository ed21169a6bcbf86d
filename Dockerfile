# The image of both halves: nothing but the program, linked statically, and the authorities that hooks over https need.
#   docker build -t registry.example/loco-edge:0.1.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# glibc, not musl: its allocator is several times faster with many threads. Names are resolved in it too (no NSS but
# files and dns, which are part of it since 2.34).
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --bin loco-edge --target "$target" \
    && cp "target/$target/release/loco-edge" /loco-edge

FROM scratch
COPY --from=build /loco-edge /bin/loco-edge
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/bin/loco-edge"]
