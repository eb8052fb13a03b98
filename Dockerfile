# Two stages: the builder has Rust, the image has the binary, trusted certificates and nothing else of ours.
# Both are of the same Debian release, because the binary uses the C library of the one it was built on.
FROM docker.io/library/rust:1-slim-bookworm AS builder
WORKDIR /build

# The dependencies alone, with stand-ins for our own code: this layer lives until Cargo.toml or Cargo.lock changes.
# Cargo wants a file for each bench that is named, so the names are taken from there; and one for the crash program.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches crash \
    && touch src/lib.rs \
    && for main in src/main.rs crash/main.rs build.rs $(sed -n '/^\[\[bench\]\]$/ { n; s|^name = "\(.*\)"$|benches/\1.rs|p }' Cargo.toml); do \
         echo 'fn main() {}' > "$main"; \
       done \
    && cargo build --release --locked \
    && rm -r src benches crash build.rs

# Statements are checked against .sqlx/, so no database is needed here.
COPY . .
RUN find src build.rs migrations -exec touch {} + && cargo build --release --locked --bin taskbridge

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --home-dir /var/lib/taskbridge --create-home --shell /usr/sbin/nologin taskbridge \
    && mkdir -p /etc/taskbridge
COPY --from=builder /build/target/release/taskbridge /usr/local/bin/taskbridge
ENV TASKBRIDGE_CONFIG=/etc/taskbridge/taskbridge.yaml
USER taskbridge
WORKDIR /var/lib/taskbridge
EXPOSE 8080
# Asks /readyz, so an image whose database is away is not called healthy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["taskbridge", "health", "--url", "http://127.0.0.1:8080"]
ENTRYPOINT ["taskbridge"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--log", "json"]
