#!/bin/sh
# Sets up tchalk from this folder, without any network:
#
#     sh start.sh [FOLDER]
#
# FOLDER is where the checkout goes (default: your home folder). Rust, Python and a C compiler have
# to be there; README.txt says which.
set -eu
bundle=$(cd "$(dirname "$0")" && pwd)
where=${1:-$HOME}

name=tchalk-VERSION-TARGET
case $(uname) in
Darwin) caches=$HOME/Library/Caches ;;
*) caches=${XDG_CACHE_HOME:-$HOME/.cache} ;;
esac
home=${TCHALK_HOME:-$caches/tchalk} given=${TCHALK_HOME:-}
case $home in "~" | "~/"*) home=$HOME${home#"~"} ;; esac

for tool in cargo rustc python3 cc tar; do
    command -v "$tool" >/dev/null || { echo "there is no $tool: README.txt says what is needed" >&2; exit 1; }
done
if command -v sha256sum >/dev/null; then sums="sha256sum"; else sums="shasum -a 256"; fi
(cd "$bundle" && grep -E ' [ *](\./)?(crates|tchalk-[^/]*)\.tar\.gz$' SHA256SUMS | $sums --check --quiet -) ||
    { echo "the bundle was not copied whole: copy it again" >&2; exit 1; }
sum_of() { grep -E " [ *](\\./)?$1\\.tar\\.gz\$" "$bundle/SHA256SUMS" | cut -c1-64; }

# What is broken off goes, now or the next time.
mkdir -p "$where" "$home"
where=$(cd "$where" && pwd)
home=$(cd "$home" && pwd)
for part in "$where/$name".part-* "$home"/crates-*.part-*; do
    kill -0 "${part##*-}" 2>/dev/null || rm -rf "$part"
done
trap 'rm -rf "$where/$name.part-$$" "$home"/crates-*.part-$$' EXIT
trap 'exit 1' HUP INT TERM

# The checkout; another one, if it came from another bundle, is kept aside.
checkout=$where/$name
sum=$(sum_of "$name")
if [ ! -f "$checkout/Cargo.toml" ] || [ "$(cat "$checkout/.cargo/archive.sum" 2>/dev/null)" != "$sum" ]; then
    echo "• unpacking $checkout …"
    part=$checkout.part-$$
    mkdir "$part"
    tar -xzf "$bundle/$name.tar.gz" -C "$part"
    echo "$sum" > "$part/$name/.cargo/archive.sum"
    if [ -e "$checkout" ]; then
        n=1
        while [ -e "$checkout.before-$n" ]; do n=$((n + 1)); done
        rm -rf "$checkout/target" "$checkout/prebuilt"
        mv "$checkout" "$checkout.before-$n"
        echo "  the one of an earlier bundle, with your notebooks, is now $checkout.before-$n"
    fi
    mv "$part/$name" "$checkout"
fi

# The crates: `cargo xtask` itself is compiled from them.
crates=$home/crates-$(sum_of crates | cut -c1-8)
if [ ! -d "$crates" ]; then
    echo "• unpacking crates into $crates …"
    mkdir "$crates.part-$$"
    tar -xzf "$bundle/crates.tar.gz" -C "$crates.part-$$" --strip-components 1
    mv "$crates.part-$$" "$crates"
fi
cat > "$checkout/.cargo/crates.toml" <<END
# Written by \`cargo xtask setup --from\`: crates come from a bundle. Delete this file, and run
# \`cargo xtask setup\`, to have them from the network again.
[source.crates-io]
replace-with = "tchalk-bundle"

[source.tchalk-bundle]
directory = "$crates"
END

# Seen from the checkout, a path that is not absolute would be another.
[ -z "${TCHALK_HOME:-}" ] || export TCHALK_HOME="$home"
cd "$checkout"
cargo xtask setup --from "$bundle"
echo
[ "$given" = "${TCHALK_HOME:-}" ] || echo "export TCHALK_HOME='$home'"
echo "cd '$checkout' && cargo xtask lab"
