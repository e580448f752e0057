# The README's two commands on a clean machine, as an ordinary user, from a clone. Not an image to
# use: it shows what each step takes, and that the README asks for all that is needed, and no more.
#
#     git clone --bare . /tmp/tchalk.git
#     cargo xtask try-dockerfile /tmp/clean --base /tmp/debian --file docker/two-commands.Dockerfile \
#         --build-context repository=/tmp/tchalk.git --probe 'cd tchalk && . ~/.cargo/env && cargo xtask doctor'
ARG DEBIAN=debian:12.11-slim

FROM scratch AS repository

FROM ${DEBIAN}
# What a machine has on which somebody works: a way to fetch things.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl
RUN useradd --create-home --shell /bin/bash reader
COPY --from=repository / /srv/tchalk.git/
RUN chown -R reader /srv/tchalk.git

# README, "Start": what has to be there.
RUN apt-get install --yes --no-install-recommends g++ git python3-venv
USER reader
WORKDIR /home/reader
RUN curl --proto '=https' --tlsv1.2 --fail --silent --show-error --output rustup-init \
      https://static.rust-lang.org/rustup/dist/x86_64-unknown-linux-gnu/rustup-init \
 && chmod +x rustup-init && ./rustup-init -y --default-toolchain 1.95.0 && rm rustup-init

# README, "Start": the two commands. `lab` begins with what `setup` does.
RUN git clone /srv/tchalk.git tchalk
RUN . ~/.cargo/env && cd tchalk && cargo xtask setup
RUN . ~/.cargo/env && cd tchalk && cargo xtask doctor
RUN . ~/.cargo/env && cd tchalk && TCHALK_BUDGET=ci TCHALK_OFFLINE=1 cargo xtask run notebooks/tutorial.ipynb
HEALTHCHECK CMD ["curl", "--fail", "--silent", "http://127.0.0.1:8888/api"]
ENTRYPOINT ["sh", "-c", ". ~/.cargo/env && cd tchalk && exec cargo xtask lab --no-browser --port 8888"]
