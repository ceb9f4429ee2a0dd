#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes build/venv with Avocado and the plugin, and the two commands in build/; does only what is missing.
set -eu
cd "$(dirname "$0")/.."
. tools/say.sh
build=$PWD/build
venv=$build/venv
python=$venv/bin/python3
export PIP_DISABLE_PIP_VERSION_CHECK=1

# What goes in, and which version of it: a change makes everything anew.
wanted="avocado-framework==113.0 avocado-framework-plugin-result-html==113.0 avocado-framework-plugin-spawner-remote==113.0 setuptools<81 wheel pytest pytest-xdist"
if [ "$(cat "$venv/wanted" 2>/dev/null)" != "$wanted" ]; then
    echo "Making $venv (Avocado 113 from PyPI)"
    rm -rf "$venv"
    /usr/bin/python3 -m venv "$venv"
    # shellcheck disable=SC2086
    "$python" -m pip install -q $wanted
    echo "$wanted" >"$venv/wanted"
fi

# The plugin is built from a copy, so that no build files lie in the source tree.
digest=$(find resolver/plugin -type f ! -name '*.pyc' -exec sha256sum {} + | sort | sha256sum)
if [ "$(cat "$venv/plugin" 2>/dev/null)" != "$digest" ]; then
    echo "Installing the Avocado plugin"
    rm -rf "$build/plugin"
    cp -r resolver/plugin "$build/plugin"
    "$python" -m pip install -q --no-build-isolation --no-deps --force-reinstall "$build/plugin"
    rm -rf "$build/plugin"
    echo "$digest" >"$venv/plugin"
fi

mkdir -p "$build/data" "$build/job-results" "$build/tests" "$build/cache"
cat >"$build/avocado.conf.new" <<END
# Private to this build: nothing below ~/avocado is used.
[datadir.paths]
base_dir = $build
test_dir = $build/tests
data_dir = $build/data
logs_dir = $build/job-results
cache_dirs = ['$build/cache']
END
cmp -s "$build/avocado.conf.new" "$build/avocado.conf" || cp "$build/avocado.conf.new" "$build/avocado.conf"
rm "$build/avocado.conf.new"

cat >"$build/avocado.new" <<'END'
#!/bin/sh
# Avocado with the plugin, this build's runner and a data directory of its own.
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
PATH=$here/release/bin:$PATH
export PATH
exec "$here/venv/bin/avocado" --config "$here/avocado.conf" "$@"
END
chmod +x "$build/avocado.new"
mv "$build/avocado.new" "$build/avocado"
ln -sfn release/bin/avocado-runner-vt "$build/avocado-runner-vt"
