# SPDX-License-Identifier: GPL-2.0-or-later
"""The public names of QEMU's iotests module, at levels 6.1 and 7.2: each is there, and each is used by a script.

QEMU's own scripts use the most of them (the sample in test_iotests.py); the scripts here use the rest.
"""

import json
import os
import pathlib
import re
import subprocess

import pytest

from test_iotests import OURS, RUNNER, folder, suite, verdicts  # noqa: F401

pytestmark = pytest.mark.skipif(not RUNNER.exists(), reason="the runner is missing")

NAMES = {
    "iotests": """QMPMessage logger test_logger qemu_img_args qemu_io_args qemu_io_args_no_fmt qemu_nbd_prog qemu_nbd_args
        qemu_prog qemu_opts gdb_qemu_env qemu_gdb qemu_print imgfmt imgproto output_dir test_dir sock_dir cachemode aiomode
        qemu_default_machine qemu_valgrind socket_scm_helper luks_default_secret_object luks_default_key_secret_opt
        sample_img_dir unarchive_sample_image qemu_tool_pipe_and_status qemu_img_pipe_and_status qemu_img ordered_qmp
        qemu_img_create qemu_img_measure qemu_img_check qemu_img_verbose qemu_img_pipe qemu_img_log img_info_log qemu_io
        qemu_io_log qemu_io_silent qemu_io_silent_check QemuIoInteractive qemu_nbd qemu_nbd_early_pipe qemu_nbd_list_log
        qemu_nbd_popen compare_images create_image image_size is_str test_dir_re filter_test_dir win32_re filter_win32
        qemu_io_re filter_qemu_io chown_re filter_chown filter_qmp_event filter_qmp filter_testfiles filter_qmp_testfiles
        filter_virtio_scsi filter_qmp_virtio_scsi filter_generated_node_ids filter_img_info filter_imgfmt
        filter_qmp_imgfmt filter_nbd_exports Msg log Timeout file_pattern FilePath file_path_remover file_path
        remote_filename VM index_re QMPTestCase notrun case_notrun _verify_image_format _verify_protocol _verify_platform
        _verify_cache_mode _verify_aio_mode _verify_formats _verify_virtio_blk _verify_virtio_scsi_pci_or_ccw
        supports_quorum verify_quorum has_working_luks verify_working_luks qemu_pipe supported_formats
        skip_if_unsupported skip_for_formats skip_if_user_is_root ReproducibleTestResult ReproducibleStreamWrapper
        ReproducibleTestRunner execute_unittest execute_setup_common execute_test activate_logging script_initialize
        script_main main change_log_level qemu_tool qemu_tool_popen qemu_img_create_prepare_args qemu_img_json
        qemu_img_info qemu_img_map qemu_io_wrap_args qemu_io_popen QemuStorageDaemon filter_qmp_generated_node_ids
        supports_qcow2_zstd_compression verify_qcow2_zstd_compression qsd_prog try_remove""",
    "iotests.VM": """add_object add_device add_drive_raw add_drive add_blockdev add_incoming hmp pause_drive resume_drive
        hmp_qemu_io flatten_qmp_object qmp_to_opts get_qmp_events_filtered qmp_log run_job blockdev_create
        enable_migration_events wait_migration node_info query_bitmaps get_bitmap check_bitmap_status assert_block_path
        qmp command launch shutdown kill wait is_running exitcode get_pid get_log event_wait events_wait get_qmp_event
        get_qmp_events qtest add_fd add_args add_monitor_null send_fd_scm set_machine set_console set_qmp_monitor args
        event_match temp_dir sock_dir log_dir _base_args _pre_launch _post_launch _post_shutdown""",
    "iotests.QMPTestCase": """dictpath assert_qmp_absent assert_qmp assert_no_active_block_jobs assert_has_block_node
        assert_json_filename_equal cancel_and_wait wait_until_completed wait_ready wait_ready_and_cancel
        complete_and_wait pause_wait pause_job case_skip""",
    "qemu.machine": "QEMUMachine QEMUMachineError QEMUMachineAddDeviceError QEMUQtestMachine VMLaunchFailure AbnormalShutdown",
    "qemu.machine.qtest": "QEMUQtestMachine QEMUQtestProtocol",
    "qemu.machine.machine": "QEMUMachine VMLaunchFailure AbnormalShutdown",
    "qemu.qmp": "QMPError ConnectError ExecInterruptedError ExecuteError StateError QMPMessage QEMUMonitorProtocol",
    "qemu.qmp.legacy": "QMPMessage QMPObject QMPReturnValue QEMUMonitorProtocol QMPBadPortError",
    "qemu.qtest": "QEMUQtestMachine QEMUQtestProtocol",
    "qemu.utils": "VerboseProcessError add_visual_margin get_info_usernet_hostfwd_port kvm_available list_accel tcg_available",
}


SCRIPTS = {
    "values": """
        from iotests import *
        import os
        assert iotests.qemu_prog.startswith('/') and iotests.qsd_prog and iotests.qemu_nbd_prog
        assert iotests.qemu_nbd_args == [iotests.qemu_nbd_prog]
        assert iotests.qemu_img_args[0] == os.environ['QEMU_IMG_PROG']
        assert iotests.qemu_io_args[1:] == ['--cache', 'writeback', '--aio', 'threads', '-f', 'qcow2']
        assert iotests.qemu_io_args_no_fmt[1:] == ['--cache', 'writeback', '--aio', 'threads']
        assert iotests.qemu_opts[:3] == ['-nodefaults', '-display', 'none']
        assert iotests.gdb_qemu_env is None and iotests.qemu_gdb == [] and iotests.qemu_valgrind == []
        assert not iotests.qemu_print
        assert iotests.output_dir == iotests.test_dir and os.path.isdir(iotests.sock_dir)
        assert iotests.qemu_default_machine == 'pc' and iotests.socket_scm_helper
        assert iotests.luks_default_secret_object.startswith('secret,id=keysec0')
        assert iotests.luks_default_key_secret_opt == 'key-secret=keysec0'
        assert iotests.sample_img_dir.endswith('/sample_images')
        assert (iotests.cachemode, iotests.aiomode, iotests.imgfmt, iotests.imgproto) == ('writeback', 'threads', 'qcow2', 'file')
    """,
    "filters": """
        import os
        from iotests import *
        assert iotests.is_str('a') and not iotests.is_str(b'a')
        inside = os.path.join(iotests.test_dir, 'x')
        assert iotests.test_dir_re.sub('T', inside) == 'T/x' and iotests.filter_test_dir(inside) == 'TEST_DIR/x'
        assert iotests.win32_re.sub('', 'a\\r') == 'a' == iotests.filter_win32('a\\r')
        line = 'wrote 1/1 bytes at offset 0\\n64 KiB, 1 ops; 00.01 sec (5.1 MiB/sec and 81.2 ops/sec)'
        assert iotests.qemu_io_re.search(line) and iotests.filter_qemu_io(line).endswith('X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)')
        assert iotests.chown_re.search('chown 1:2') and iotests.filter_chown('chown 1:2') == 'chown UID:GID'
        assert iotests.filter_virtio_scsi('virtio-scsi-ccw,id=a') == iotests.filter_virtio_scsi('virtio-scsi-pci,id=a') == 'virtio-scsi,id=a'
        assert iotests.filter_generated_node_ids('#block123') == 'NODE_NAME'
        assert iotests.filter_qmp_generated_node_ids({'a': ['#block123']}) == {'a': ['NODE_NAME']}
        assert iotests.filter_imgfmt('a qcow2') == 'a IMGFMT' and iotests.filter_qmp_imgfmt({'a': 'qcow2'}) == {'a': 'IMGFMT'}
        mine = iotests.file_pattern('x')
        assert mine == '%d-x' % os.getpid() and iotests.filter_testfiles(os.path.join(iotests.test_dir, mine)) == 'TEST_DIR/PID-x'
        assert iotests.filter_img_info('file format: qcow2\\ndisk size: 5 KiB', '/none') == 'file format: IMGFMT'
        exports = iotests.filter_nbd_exports('exports available: 1\\n  min block: 1\\n  opt block: 4096\\n  transaction size: 64-bit')
        assert exports == 'exports available: 1\\n  min block: XXX\\n  opt block: XXX\\n  transaction size: 64-bit', exports
        assert iotests.filter_qmp_event({'timestamp': {'seconds': 1, 'microseconds': 2}})['timestamp'] == {'seconds': 'SECS', 'microseconds': 'USECS'}
        assert iotests.ordered_qmp({'b_c': {'z_z': 1, 'a': 2}}) == {'b-c': {'a': 2, 'z_z': 1}}
        assert list(iotests.ordered_qmp({'b': 1, 'a': 2})) == ['a', 'b']
        assert iotests.Msg and iotests.QMPMessage and iotests.index_re.match('return[0]').groups() == ('return', '0')
        path = iotests.file_path('gone')
        open(path, 'w').close()
        iotests.file_path_remover()
        assert not os.path.exists(path)
        iotests.script_initialize()
        iotests.test_logger.info('said')
    """,
    "tools-new": """
        import os
        from iotests import *
        img = iotests.file_path('a')
        assert iotests.qemu_tool('echo', 'a').stdout == 'a\\n'
        assert iotests.qemu_tool_popen(['echo', 'b']).communicate()[0] == 'b\\n'
        assert iotests.qemu_img_create_prepare_args(['info', 'x']) == ['info', 'x']
        assert iotests.qemu_img_create_prepare_args(['create', '-f', 'qcow2', 'x', '1M'])[:3] == ['create', '-f', 'qcow2']
        iotests.qemu_img_create('-f', iotests.imgfmt, img, '1M')
        assert iotests.qemu_img_json('info', '--output', 'json', img)['virtual-size'] == 1 << 20 == iotests.image_size(img)
        assert iotests.qemu_io_wrap_args(['-f', 'raw'])[-2:] == ['-f', 'raw'] and '-f' in iotests.qemu_io_wrap_args([])
        with iotests.qemu_io_popen('-c', 'read 0 1k', img) as running:
            assert 'read 1024/1024' in running.communicate()[0]
        qio = iotests.QemuIoInteractive(img)
        assert 'read 1024/1024' in qio.cmd('read 0 1k')
        assert qio.cmd('read -v 0 512k').count('\\n') > 32768
        qio.close()
        try:
            iotests.QemuIoInteractive(img + '-none')
        except ValueError as error:
            assert 'No such file' in str(error)
        else:
            raise SystemExit('nothing was raised')
        assert iotests.has_working_luks()[0] in (True, False)
        assert 'virtio-blk' in iotests.qemu_pipe('-M', 'none', '-device', 'help')
        assert 'qcow2' in iotests.supported_formats() and iotests.supports_quorum() in (True, False)
        iotests._verify_image_format(['qcow2'])
        iotests._verify_protocol(['file'])
        iotests._verify_platform(['linux'])
        iotests._verify_cache_mode(['writeback'])
        iotests._verify_aio_mode(['threads'])
        iotests._verify_formats(['qcow2'])
        iotests._verify_virtio_blk()
        iotests._verify_virtio_scsi_pci_or_ccw()
        assert not iotests.execute_setup_common(supported_fmts=['qcow2'])
        iotests.script_initialize()
        iotests.log('said')
    """,
    "tools-old": """
        from iotests import *
        img = iotests.file_path('a')
        assert iotests.qemu_img_pipe_and_status('info', img)[1] == 1
        assert iotests.qemu_tool_pipe_and_status('echo', ['echo', 'a'], drop_successful_output=True) == ('', 0)
        assert iotests.qemu_img_verbose('create', '-q', '-f', 'qcow2', img, '1M') == 0
        assert iotests.qemu_io_silent('-c', 'read 0 1k', img) == 0
        assert iotests.qemu_io_silent_check('-c', 'read 0 1k', img) and not iotests.qemu_io_silent_check('-c', 'read 0 1k', img + '-none')
        iotests.script_initialize()
        iotests.log('said')
    """,
    "machine": """
        import os
        from iotests import *

        class Watched(iotests.VM):
            seen = []
            def _pre_launch(self):
                super()._pre_launch()
                self.seen.append('before')
            def _post_launch(self):
                super()._post_launch()
                self.seen.append('after')
            def _post_shutdown(self):
                super()._post_shutdown()
                self.seen.append('end')

        vm = Watched()
        vm.set_machine('q35')
        vm.set_console(device_type='isa-serial')
        vm.launch()
        assert vm.get_pid() and os.path.isdir(vm.temp_dir) and vm.log_dir == vm.temp_dir
        assert 'q35' in vm.qmp('qom-get', path='/machine', property='type')['return']
        assert vm.console_socket.getpeername()
        assert vm.event_match({'a': 1, 'b': 2}, {'a': 1}) and not vm.event_match({'a': 1}, {'b': 1})
        assert vm.flatten_qmp_object({'a': {'b': [1]}}) == {'a.b.0': 1}
        vm.shutdown()
        assert vm.seen == ['before', 'after', 'end'] and vm.exitcode() == 0
        bare = iotests.VM('bare')
        bare.set_qmp_monitor(False)
        bare.launch()
        assert bare.is_running()
        bare.kill()
        iotests.script_initialize()
        iotests.log('said')
    """,
    "cases": """
        import sys
        from iotests import *

        class Case(iotests.QMPTestCase):
            def test_left_out(self):
                self.case_skip('for the test')
            def test_run(self):
                self.assert_qmp({'return': [{'a': 1}]}, 'return[0]/a', 1)

        assert issubclass(iotests.ReproducibleTestRunner().resultclass, iotests.ReproducibleTestResult)
        kept = []
        wrapper = iotests.ReproducibleStreamWrapper(type('S', (), {'write': lambda self, text: kept.append(text)})())
        wrapper.write('Ran 2 tests in 0.1s (skipped=1)')
        assert kept == ['Ran 2 tests']
        iotests.execute_test(test_function=lambda: None)
        iotests.execute_unittest(sys.argv)
    """,
}
EXPECTED = {"cases": f"..\n{'-' * 70}\nRan 2 tests\n\nOK\n", "values": ""}


def test_every_name_of_the_module():
    """Names of iotests at levels 6.1 and 7.2, and of the packages beside it."""
    code = (
        "import importlib, json, sys\nmissing = []\n"
        "for place, names in json.loads(sys.argv[1]).items():\n"
        "    try:\n        holder = importlib.import_module(place)\n"
        "    except ImportError:\n        parent, _, last = place.rpartition('.')\n"
        "        holder = getattr(importlib.import_module(parent), last)\n"
        "    missing += [place + '.' + name for name in names.split() if not hasattr(holder, name)]\n"
        "print(json.dumps(missing))\n"
    )
    variables = ("TEST_DIR", "SOCK_DIR", "CACHEMODE", "AIOMODE", "QEMU_DEFAULT_MACHINE", "SAMPLE_IMG_DIR")
    env = {**os.environ, **dict.fromkeys(variables, "/tmp"), "PYTHONPATH": str(OURS)}
    done = subprocess.run(["/usr/bin/python3", "-c", code, json.dumps(NAMES)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_each_name_of_qemus_module_is_used(folder, suite):  # noqa: F811
    """By a script here, or by one of QEMU's own."""
    texts = [*SCRIPTS.values(), (pathlib.Path(__file__).parent / "test_iotests.py").read_text()]
    for place in (suite, suite / "tests"):
        for path in place.iterdir():
            if path.is_file() and not path.suffix and path.read_bytes()[:40].find(b"python3") > 0:
                texts.append(path.read_text())
    used = set(re.findall(r"\w+", "\n".join(texts)))
    wanted = {name for place in ("iotests", "iotests.VM", "iotests.QMPTestCase") for name in NAMES[place].split()}
    assert sorted(wanted - used) == []


def test_scripts_that_use_the_rest(folder):  # noqa: F811
    for name, body in SCRIPTS.items():
        folder.script(name, body, EXPECTED.get(name, "said\n"))
    done = folder.run("-qcow2", "-j", "2")
    assert verdicts(done.stdout) == {name: ("pass", "") for name in SCRIPTS}, done.stdout
