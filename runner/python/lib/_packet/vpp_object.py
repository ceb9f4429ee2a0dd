# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects that a test configures in the daemon, and their registry, which removes what tests leave."""

import abc
import reprlib


class VppObject(abc.ABC):
    """A piece of configuration that can be added, looked for and removed."""

    @abc.abstractmethod
    def add_vpp_config(self):
        """Adds the object to the daemon's configuration."""

    @abc.abstractmethod
    def query_vpp_config(self):
        """True if the daemon has it."""

    @abc.abstractmethod
    def remove_vpp_config(self):
        """Takes it out of the daemon's configuration."""

    @abc.abstractmethod
    def object_id(self):
        """A text that no other object has."""


class VppObjectRegistry:
    """All objects of the process: every instance sees the same ones."""

    _shared_state = {"_object_registry": [], "_object_dict": {}}

    def __init__(self):
        self.__dict__ = self._shared_state

    def register(self, obj, logger):
        if obj.object_id() in self._object_dict:
            logger.debug("REG: %s is registered already", obj)
            return
        self._object_registry.append(obj)
        self._object_dict[obj.object_id()] = obj
        logger.debug("REG: registered %s", obj)

    def unregister_all(self, logger):
        logger.debug("REG: all registrations are dropped")
        self._object_registry.clear()
        self._object_dict.clear()

    def remove_vpp_config(self, logger):
        """Removes what is still configured, last one first, as later objects may need earlier ones."""
        if not self._object_registry:
            logger.info("REG: nothing is registered")
            return
        resisting = []
        for obj in reversed(self._object_registry):
            if not obj.query_vpp_config():
                logger.info("REG: %s is not configured any more", obj)
                continue
            logger.info("REG: removing %s", obj)
            obj.remove_vpp_config()
            if obj.query_vpp_config():
                resisting.append(obj)
        self.unregister_all(logger)
        if resisting:
            logger.error("REG: still configured: %s", ", ".join(map(reprlib.repr, resisting)))
            raise Exception("Couldn't remove configuration for object(s): %s" % ", ".join(map(str, resisting)))
