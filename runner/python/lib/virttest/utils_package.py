# SPDX-License-Identifier: GPL-2.0-or-later
"""Installing packages here, or where a session leads."""

import logging

from virttest import utils_misc

LOG = logging.getLogger("avocado." + __name__)

PACKAGE_MANAGERS = ["apt-get", "yum", "zypper", "dnf"]
PKG_MGR_TIMEOUT = 300


def _names(pkg):
    if isinstance(pkg, str):
        return [pkg]
    if isinstance(pkg, (list, tuple)):
        return list(pkg)
    from _vtglue import statuses

    raise statuses.exceptions().TestError("a package's name, or a list of such, is wanted, not %r" % (pkg,))


class RemotePackageMgr:
    """The package manager of the machine at a session's other end, for some packages."""

    def __init__(self, session, pkg):
        self.session = session
        self.pkg_list = _names(pkg)
        self.package_manager = next((name for name in PACKAGE_MANAGERS if session.cmd_status("which %s" % name) == 0), None)
        if self.package_manager is None:
            from _vtglue import statuses

            raise statuses.exceptions().TestError("none of %s is there" % ", ".join(PACKAGE_MANAGERS))
        debian = self.package_manager == "apt-get"
        self.query_cmd = "dpkg -s " if debian else "rpm -q "
        self.install_cmd = self.package_manager + " install -y "
        self.remove_cmd = "apt-get --purge remove -y " if debian else self.package_manager + " remove -y "
        self.clean_cmd = "apt-get clean" if debian else self.package_manager + " clean all"
        self.cmd = None

    def clean(self):
        """Drops what the package manager has cached; True if it could."""
        return self.session.cmd_status(self.clean_cmd, timeout=PKG_MGR_TIMEOUT) == 0

    def is_installed(self, pkg_name):
        """True if the package is there."""
        return self.session.cmd_status(self.query_cmd + pkg_name, timeout=PKG_MGR_TIMEOUT) == 0

    def operate(self, timeout, default_status, internal_timeout=2):
        """Runs self.cmd for each package whose being installed is default_status; once more after a clean()."""
        for name in self.pkg_list:
            if "*" not in name and self.is_installed(name) != default_status:
                continue
            status, output = self.session.cmd_status_output(self.cmd + name, timeout=timeout)
            if status != 0 and self.clean():
                status, output = self.session.cmd_status_output(self.cmd + name, timeout=timeout)
            if status != 0:
                LOG.error("%s%s failed: %s", self.cmd, name, output)
                return False
        return True

    def install(self, timeout=PKG_MGR_TIMEOUT):
        """Installs those that are not there; True if all could be."""
        self.cmd = self.install_cmd
        return self.operate(timeout, False)

    def remove(self, timeout=PKG_MGR_TIMEOUT):
        """Removes those that are there; True if all could be."""
        self.cmd = self.remove_cmd
        return self.operate(timeout, True)


class LocalPackageMgr:
    """This host's package manager, for some packages: Avocado's."""

    def __init__(self, pkg):
        from avocado.utils.software_manager import manager

        self.pkg_list = _names(pkg)
        self.backend = manager.SoftwareManager()

    def __getattr__(self, name):
        return getattr(self.__dict__["backend"], name)

    def is_installed(self, pkg_name):
        """True if the package is there."""
        return bool(self.backend.check_installed(pkg_name))

    def _operate(self, call, when):
        for name in self.pkg_list:
            if "*" in name or when is None or self.is_installed(name) == when:
                if not call(name):
                    LOG.error("%s of %s failed", call.__name__, name)
                    return False
        return True

    def install(self):
        """Installs those that are not there; True if all could be."""
        return self._operate(self.backend.install, False)

    def remove(self):
        """Removes those that are there; True if all could be."""
        return self._operate(self.backend.remove, True)

    def upgrade(self):
        """Upgrades those that are there; True if all could be."""
        return self._operate(self.backend.upgrade, True)


def package_manager(session, pkg):
    """The manager of a session's machine, or of this host if session is None."""
    return RemotePackageMgr(session, pkg) if session else LocalPackageMgr(pkg)


def package_install(pkg, session=None, timeout=PKG_MGR_TIMEOUT):
    """Installs packages, tried again until timeout; true if all are there."""
    return utils_misc.wait_for(package_manager(session, pkg).install, timeout)


def package_remove(pkg, session=None, timeout=PKG_MGR_TIMEOUT):
    """Removes packages, tried again until timeout; true if none is left."""
    return utils_misc.wait_for(package_manager(session, pkg).remove, timeout)


def package_upgrade(pkg, session=None, timeout=PKG_MGR_TIMEOUT):
    """Upgrades packages of this host, tried again until timeout."""
    return utils_misc.wait_for(package_manager(session, pkg).upgrade, timeout)
