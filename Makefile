# SPDX-License-Identifier: GPL-2.0-or-later
# A thin front to CMake and tools/. Packagers need only CMake: cmake --preset release, cmake --build, cmake --install.

CPP_FILES = git ls-files -- '*.cpp' '*.hpp'

.PHONY: all deps build venv bootstrap demo check soak bench format format-check lint clean

all: build

deps:
	@tools/deps.sh

build/release/build.ninja: CMakePresets.json
	@cmake --preset release

# Nothing is built by hand: ninja knows what is out of date, and runs CMake again if it must.
build: build/release/build.ninja
	@cmake --build --preset release

venv:
	@tools/venv.sh

bootstrap: build venv
	@build/avocado vt-bootstrap --vt-type qemu

demo:
	@tools/demo.sh

check: deps build venv bootstrap
	@tools/check.sh

# What takes too long for every day.
soak: build venv bootstrap
	@tools/fuzz.sh 600
	@PATH=$(CURDIR)/build/release/bin:$$PATH build/venv/bin/python3 -m pytest -q -ra -m soak tests

# Each benchmark prints its own table; upstream's figures come from build/peer.
bench: build venv bootstrap
	@tools/peer.sh
	@for bench in tests/bench/*_bench.py; do \
	    printf '\n== %s\n' "$$bench"; build/venv/bin/python3 "$$bench" || exit 1; \
	done

format:
	@$(CPP_FILES) | xargs clang-format-14 -i

format-check:
	@$(CPP_FILES) | xargs clang-format-14 --dry-run --Werror

lint: build
	@$(CPP_FILES) | grep '\.cpp$$' | xargs -P 2 -n 4 clang-tidy-14 -quiet -p build/release

clean:
	@rm -rf build
