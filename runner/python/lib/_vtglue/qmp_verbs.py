# SPDX-License-Identifier: GPL-2.0-or-later
"""The methods of a QMP monitor that are commands of QEMU under another name.

A table: method, command, arguments. An argument is written "python_name=qmp-name", or as one word where both are the
same but for dashes; "?" behind it: left out when None.
"""

_TABLE = """
system_wakeup                    system_wakeup
closefd                          closefd                          name=fdname
exit_preconfig                   x-exit-preconfig
eject_cdrom                      eject                            device force?
change_media                     change                           device target
blockdev_open_tray               blockdev-open-tray               dev_id=id force?
blockdev_close_tray              blockdev-close-tray              dev_id=id
blockdev_remove_medium           blockdev-remove-medium           dev_id=id
blockdev_insert_medium           blockdev-insert-medium           dev_id=id node_name
blockdev_change_medium           blockdev-change-medium           dev_id=id filename fmt=format? mode=read-only-mode? force?
blockdev_create                  blockdev-create                  job_id options
blockdev_add                     blockdev-add                     **props
blockdev_del                     blockdev-del                     node_name
blockdev_reopen                  blockdev-reopen                  **props
x_blockdev_reopen                x-blockdev-reopen                **props
blockdev_backup                  blockdev-backup                  **options
block_resize                     block_resize                     device? size node_name?
job_dismiss                      job-dismiss                      identifier=id
transaction                      transaction                      job_list=actions
query_jobs                       query-jobs
query_named_block_nodes          query-named-block-nodes
query_mice                       query-mice
query_block_exports              query-block-exports
query_sgx                        query-sgx
query_sgx_capabilities           query-sgx-capabilities
query_sev                        query-sev
query_sev_capabilities           query-sev-capabilities
query_sev_launch_measure         query-sev-launch-measure
query_sev_attestation_report     query-sev-attestation-report     mnonce
nbd_server_add                   nbd-server-add                   device export_name=name? writable? bitmap?
nbd_server_remove                nbd-server-remove                export_name=name remove_mode=mode?
nbd_server_stop                  nbd-server-stop
block_export_del                 block-export-del                 uid=id mode?
netdev_del                       netdev_del                       name=id
input_send_event                 input-send-event                 events device? head?
block_dirty_bitmap_add           block-dirty-bitmap-add           node name disabled? granularity? persistent?
block_dirty_bitmap_remove        block-dirty-bitmap-remove        node name
block_dirty_bitmap_clear         block-dirty-bitmap-clear         node name
block_dirty_bitmap_merge         block-dirty-bitmap-merge         node src_bitmaps=bitmaps dst_bitmap=target
block_dirty_bitmap_enable        block-dirty-bitmap-enable        node name
block_dirty_bitmap_disable       block-dirty-bitmap-disable       node name
debug_block_dirty_bitmap_sha256  x-debug-block-dirty-bitmap-sha256  node bitmap=name
x_debug_block_dirty_bitmap_sha256  x-debug-block-dirty-bitmap-sha256  node bitmap=name
migrate_continue                 migrate-continue                 state
migrate_incoming                 migrate-incoming                 uri
migrate_start_postcopy           migrate-start-postcopy
migrate_pause                    migrate-pause
migrate_recover                  migrate-recover                  uri
"""


def _argument(word):
    optional = word.endswith("?")
    name, _, ours = word.rstrip("?").partition("=")
    return name, ours or name.replace("_", "-"), optional


def _method(name, command, words):
    whole = words[0][2:] if words and words[0].startswith("**") else None
    arguments = [] if whole else [_argument(word) for word in words]

    def verb(self, *given, **named):
        if whole:
            if len(given) + len(named) != 1 or not set(named) <= {whole}:
                raise TypeError("%s() takes one dictionary, %s" % (name, whole))
            return self.cmd(command, dict(given[0] if given else named[whole]))
        if len(given) > len(arguments):
            raise TypeError("%s() takes %d arguments, %d were given" % (name, len(arguments), len(given)))
        values = {argument[0]: value for argument, value in zip(arguments, given)}
        for key, value in named.items():
            if key in values or key not in [argument[0] for argument in arguments]:
                raise TypeError("%s() cannot take %s" % (name, key))
            values[key] = value
        missing = [argument[0] for argument in arguments if not argument[2] and argument[0] not in values]
        if missing:
            raise TypeError("%s() needs %s" % (name, ", ".join(missing)))
        sent = {theirs: values[ours] for ours, theirs, _ in arguments if values.get(ours) is not None}
        return self.cmd(command, sent or None)

    verb.__name__ = name
    verb.__doc__ = "QEMU's command %s." % command
    return verb


def verbs(cls):
    """Puts the table's methods into a class that has cmd()."""
    for line in _TABLE.split("\n"):
        if line.strip():
            name, command, *words = line.split()
            setattr(cls, name, _method(name, command, words))
    return cls
