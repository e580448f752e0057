# syntax=docker/dockerfile:1
# The classroom in one image: JupyterLab, the kernel, a warm template, the notebooks.
#
#     docker build -t tchalk .
#     docker run --rm --gpus all -p 8888:8888 -v tchalk-work:/home/learner tchalk
#
# The volume keeps what is made. Without a GPU leave out `--gpus all`; an image without CUDA is built with
# `--build-arg TCHALK_LIBTORCH=cpu`. docs/docker.md has the rest: podman and buildah, data inside,
# JupyterHub, other users. `docker/try` builds this file without Docker, and uses the image.

# PyTorch's wheels bring CUDA's libraries with them, and the driver's come from the host with
# `--gpus all`: a base that holds CUDA would hold it twice.
ARG DEBIAN=debian:12.11-slim

# What `--build-context data=FOLDER` replaces: a folder laid out as the README's section "Data" says.
FROM scratch AS data
COPY docker/no-data.txt /README.txt

# What `--build-context rust=FOLDER` replaces: a toolchain, for machines that cannot fetch one.
FROM scratch AS rust
COPY docker/no-rust.txt /README.txt

# What building and running both need: rustc links cells with the C compiler.
FROM ${DEBIAN} AS machine
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev python3 tini \
 && rm -rf /var/lib/apt/lists/*
ENV LANG=C.UTF-8 \
    RUSTUP_HOME=/usr/local/rustup \
    CARGO_HOME=/usr/local/cargo \
    TCHALK_HOME=/opt/tchalk/home \
    PATH=/opt/tchalk/environment/bin:/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

FROM machine AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends curl g++ python3-venv \
 && rm -rf /var/lib/apt/lists/*

# For a network that shows a certificate of its own: docs/docker.md.
ARG SSL_CERT_FILE
ARG PIP_CERT

ARG RUST=1.95.0
ARG RUSTUP=1.28.2
ARG RUSTUP_SHA256=20a06e644b0d9bd2fbdbfd52d42540bdde820ea7df86e92e533c073da0cdd43c
RUN --mount=type=bind,from=rust,target=/mnt --mount=type=secret,id=certificates \
    if [ -x /mnt/bin/rustc ]; then \
      mkdir -p "$RUSTUP_HOME" "$CARGO_HOME/bin" \
      && cp -R /mnt "$RUSTUP_HOME/given" \
      && ln -s "$RUSTUP_HOME"/given/bin/* "$CARGO_HOME/bin"; \
    else \
      curl --proto '=https' --tlsv1.2 --fail --silent --show-error --output /tmp/rustup-init \
        https://static.rust-lang.org/rustup/archive/${RUSTUP}/x86_64-unknown-linux-gnu/rustup-init \
      && echo "${RUSTUP_SHA256}  /tmp/rustup-init" | sha256sum --check --quiet \
      && chmod +x /tmp/rustup-init \
      && /tmp/rustup-init -y --no-modify-path --profile minimal --component rust-src \
        --default-toolchain ${RUST} \
      && rm /tmp/rustup-init; \
    fi

# Libtorch, JupyterLab, the kernel and the template, where they stay.
ARG TCHALK_LIBTORCH=cuda
ENV JUPYTER_DATA_DIR=/opt/tchalk/jupyter
WORKDIR /opt/tchalk/checkout
COPY Cargo.toml Cargo.lock ./
COPY .cargo/config.toml .cargo/
COPY crates crates
COPY python python
RUN --mount=type=secret,id=certificates \
    cargo xtask setup \
 && ln -s "$TCHALK_HOME"/python3.* /opt/tchalk/environment

# Of all that, only what runs goes on. Everybody in the group may write: a container's user has
# whatever number the host or the hub gives it. What is downloaded goes home: the cache is the image's.
COPY docker/hub.txt docker/
RUN --mount=type=secret,id=certificates \
    pip install --quiet --no-cache-dir --no-compile --require-hashes --requirement docker/hub.txt \
 && torch=$(echo /opt/tchalk/environment/lib/python3.*/site-packages/torch) \
 && rm -rf "$torch/include" "$torch/bin" \
 && if [ "$TCHALK_LIBTORCH" = cpu ]; then rm -f "$torch"/lib/libtorch_cuda*.so; fi \
 && rm -rf "$TCHALK_HOME/target" "$TCHALK_HOME"/checkouts/*/sessions "$RUSTUP_HOME"/given/share target docker \
 && for kind in data weights; do ln -sT "/home/learner/.cache/tchalk/$kind" "$TCHALK_HOME/$kind"; done \
 && chgrp -R users /opt/tchalk "$CARGO_HOME" \
 && chmod -R g+rwX /opt/tchalk "$CARGO_HOME"

FROM machine
RUN useradd --uid 1000 --gid users --create-home --shell /bin/bash learner \
 && chmod g+rwx /home/learner
COPY --from=build /usr/local/rustup /usr/local/rustup
COPY --from=build /usr/local/cargo /usr/local/cargo
COPY --from=build /opt/tchalk /opt/tchalk
COPY notebooks /opt/tchalk/checkout/notebooks
COPY docker/start docker/cell.py docker/healthcheck.py /opt/tchalk/
COPY docker/jupyter_server_config.py /etc/jupyter/
COPY --from=data / /opt/tchalk/data/

ARG TCHALK_LIBTORCH=cuda
ENV HOME=/home/learner \
    JUPYTER_PATH=/opt/tchalk/jupyter \
    TCHALK_DATA_DIR=/opt/tchalk/data \
    TCHALK_LIBTORCH=${TCHALK_LIBTORCH} \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER learner
WORKDIR /home/learner
EXPOSE 8888
HEALTHCHECK --interval=30s --timeout=2m --start-period=3m --retries=3 \
    CMD ["python", "/opt/tchalk/healthcheck.py"]
ENTRYPOINT ["tini", "-g", "--", "/opt/tchalk/start"]
CMD ["lab"]
