# SPDX-License-Identifier: GPL-2.0-or-later
"""How a script begins: what it needs is verified, then its function or its unittest cases run."""

import sys

from iotests.logs import activate_logging, configure
from iotests.verify import (
    _verify_aio_mode,
    _verify_cache_mode,
    _verify_formats,
    _verify_image_format,
    _verify_imgopts,
    _verify_platform,
    _verify_protocol,
    _verify_virtio_blk,
)


def execute_setup_common(
    supported_fmts=(),
    supported_platforms=(),
    supported_cache_modes=(),
    supported_aio_modes=(),
    unsupported_fmts=(),
    supported_protocols=(),
    unsupported_protocols=(),
    required_fmts=(),
    unsupported_imgopts=(),
):
    """Verifies what the script needs. True if it is to be debugged (-d)."""
    debug = "-d" in sys.argv
    if debug:
        sys.argv.remove("-d")
    configure(debug)
    _verify_image_format(supported_fmts, unsupported_fmts)
    _verify_protocol(supported_protocols, unsupported_protocols)
    _verify_platform(supported=supported_platforms)
    _verify_cache_mode(supported_cache_modes)
    _verify_aio_mode(supported_aio_modes)
    _verify_formats(required_fmts)
    _verify_virtio_blk()
    _verify_imgopts(unsupported_imgopts)
    return debug


def execute_test(*args, test_function=None, **kwargs):
    """Verifies, then runs the function or the script's unittest cases."""
    debug = execute_setup_common(*args, **kwargs)
    if test_function:
        test_function()
    else:
        from iotests.cases import execute_unittest

        execute_unittest(sys.argv, debug)


def script_initialize(*args, **kwargs):
    """For scripts without an entry point."""
    activate_logging()
    execute_setup_common(*args, **kwargs)


def script_main(test_function, *args, **kwargs):
    """For scripts that have one."""
    activate_logging()
    execute_test(*args, test_function=test_function, **kwargs)


def main(*args, **kwargs):
    """For scripts with unittest cases."""
    execute_test(*args, **kwargs)
