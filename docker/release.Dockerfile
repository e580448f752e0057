# A release on a clean machine: Rust, Python and a C compiler are there, but no C++ compiler and
# nothing compiled. Not an image to use: it shows how long set-up takes, and that it needs no more.
#
#     cargo xtask dist
#     cargo xtask try-dockerfile /tmp/clean --base /tmp/debian --file docker/release.Dockerfile \
#         --build-context release=target/dist --probe 'cd tchalk-* && . ~/.cargo/env && cargo xtask doctor'
ARG DEBIAN=debian:12.11-slim

FROM scratch AS release

FROM ${DEBIAN}
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl
RUN useradd --create-home --shell /bin/bash reader

# README, "from a release": what has to be there.
RUN apt-get install --yes --no-install-recommends gcc libc6-dev python3-venv
USER reader
WORKDIR /home/reader
RUN curl --proto '=https' --tlsv1.2 --fail --silent --show-error --output rustup-init \
      https://static.rust-lang.org/rustup/dist/x86_64-unknown-linux-gnu/rustup-init \
 && chmod +x rustup-init && ./rustup-init -y --default-toolchain 1.95.0 && rm rustup-init
COPY --from=release --chown=reader tchalk-0.1.0-x86_64-unknown-linux-gnu.tar.gz /home/reader/
RUN if command -v c++ g++ clang++; then exit 1; fi

# README, "from a release".
RUN tar -xzf tchalk-*.tar.gz && rm tchalk-*.tar.gz
RUN . ~/.cargo/env && cd tchalk-* && cargo xtask setup
RUN . ~/.cargo/env && cd tchalk-* && cargo xtask doctor
RUN . ~/.cargo/env && cd tchalk-* && TCHALK_BUDGET=ci TCHALK_OFFLINE=1 cargo xtask run notebooks/tutorial.ipynb
HEALTHCHECK CMD ["curl", "--fail", "--silent", "http://127.0.0.1:8888/api"]
ENTRYPOINT ["sh", "-c", ". ~/.cargo/env && cd tchalk-* && exec cargo xtask lab --no-browser --port 8888"]
