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
home=${TCHALK_HOME:-$caches/tchalk}

for tool in cargo rustc python3 cc tar; do
    command -v "$tool" >/dev/null || { echo "there is no $tool: README.txt says what is needed" >&2; exit 1; }
done
if command -v sha256sum >/dev/null; then sums="sha256sum"; else sums="shasum -a 256"; fi
(cd "$bundle" && grep -E ' [ *](\./)?(crates|tchalk-[^/]*)\.tar\.gz$' SHA256SUMS | $sums --check --quiet -) ||
    { echo "the bundle was not copied whole: copy it again" >&2; exit 1; }

# The checkout.
mkdir -p "$where"
where=$(cd "$where" && pwd)
if [ ! -f "$where/$name/Cargo.toml" ]; then
    echo "• unpacking $where/$name …"
    mkdir -p "$where/$name.part"
    tar -xzf "$bundle/$name.tar.gz" -C "$where/$name.part"
    rm -rf "${where:?}/$name"
    mv "$where/$name.part/$name" "$where/$name"
    rmdir "$where/$name.part"
fi

# The crates: `cargo xtask` itself is compiled from them.
key=$(grep -E ' [ *](\./)?crates\.tar\.gz$' "$bundle/SHA256SUMS" | cut -c1-8)
crates=$home/crates-$key
if [ ! -d "$crates" ]; then
    echo "• unpacking crates into $crates …"
    mkdir -p "$crates.part-$$"
    tar -xzf "$bundle/crates.tar.gz" -C "$crates.part-$$" --strip-components 1
    mv "$crates.part-$$" "$crates"
fi
cat > "$where/$name/.cargo/crates.toml" <<END
# Written by \`cargo xtask setup --from\`: crates come from a bundle. Delete this file, and run
# \`cargo xtask setup\`, to have them from the network again.
[source.crates-io]
replace-with = "tchalk-bundle"

[source.tchalk-bundle]
directory = "$crates"
END

cd "$where/$name"
cargo xtask setup --from "$bundle"
echo
echo "cd '$where/$name' && cargo xtask lab"
