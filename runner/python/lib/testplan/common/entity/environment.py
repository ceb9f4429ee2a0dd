# SPDX-License-Identifier: GPL-2.0-or-later
"""Environment: resources that are started and stopped together, by their names."""


class Environment:
    """Resources in the order of their adding. They are attributes and items; so is an initial context."""

    def __init__(self, parent=None):
        self.__dict__.update(
            parent=parent, _initial_context={}, _resources={}, start_exceptions={}, stop_exceptions={}
        )

    def add(self, item, uid=None):
        """Adds a resource; returns its name here. Raises ValueError for a name that is taken by an attribute."""
        if uid is None:
            uid = item.uid()
        if uid in dir(self):
            raise ValueError(f'Identifier "{uid}" is reserved and cannot be used as UID.')
        if uid in self._resources:
            raise RuntimeError(f'Uid "{uid}" already in environment.')
        item.context = self
        self._resources[uid] = item
        return uid

    def remove(self, uid):
        del self._resources[uid]

    def first(self):
        """The name of the first resource."""
        return next(iter(self._resources))

    def get(self, key, default=None):
        try:
            return self[key]
        except AttributeError:
            return default

    def __getattr__(self, name):
        for values in (self.__dict__.get("_resources", {}), self.__dict__.get("_initial_context", {})):
            if name in values:
                return values[name]
        raise AttributeError(f'"{type(self).__name__}" object has no attribute "{name}"')

    def __setattr__(self, name, value):
        if name in self._resources:
            raise RuntimeError(f'Cannot modify resource "{name}" in environment.')
        if name in self._initial_context:
            raise RuntimeError(f'Cannot modify attribute "{name}" in initial context.')
        super().__setattr__(name, value)

    def __getitem__(self, item):
        return self.__getattr__(item)

    def __contains__(self, item):
        return item in self._resources or item in self._initial_context

    def __iter__(self):
        return iter(self._resources.values())

    def __len__(self):
        return len(self._resources)

    def __repr__(self):
        return f"{type(self).__name__}[{ {**self._initial_context, **self._resources} }]"

    def items(self):
        return self._resources.items()

    def all_status(self, target):
        """Whether all have this status."""
        return all(resource.status == target for resource in self)

    def _record_resource_exception(self, message, resource, msg_store):
        """Logs the exception that is being handled, with what the resource's logs say, and keeps the text."""
        import traceback

        told = traceback.format_exc()
        try:
            logs = "\n".join(resource.fetch_error_log())
        except Exception:
            logs = "[NO ERROR LOG FETCHED DUE TO EXCEPTION ABOVE]"
            told = traceback.format_exc()
        text = message.format(resource=resource, traceback_exc=told, fetch_msg=logs)
        resource.logger.error(text)
        msg_store[resource] = "ERROR: " + text

    def _start_failed(self, doing, resource):
        """Records it and puts a failover in its place; False if there is none."""
        self._record_resource_exception(
            message=f"While {doing}:\n{{traceback_exc}}\n{{fetch_msg}}",
            resource=resource,
            msg_store=self.start_exceptions,
        )
        failover = resource.failover()
        if failover:
            self._resources[resource.uid()] = failover
        return bool(failover)

    def start(self):
        """Starts all, one after the other; those that start asynchronously are awaited at the end. The first failure
        that has no failover ends it; `start_exceptions` has the texts."""
        awaited = []
        for resource in list(self._resources.values()):
            if not resource.auto_start:
                continue
            try:
                resource.start()
            except Exception:
                if not self._start_failed("starting resource {resource}", resource):
                    break
            else:
                if resource.async_start:
                    awaited.append(resource)
        for resource in awaited:
            try:
                resource.wait(resource.STATUS.STARTED)
            except Exception:
                self._start_failed("waiting for resource {resource} to start", resource)
            else:
                resource.logger.info("%s started", resource)

    def _stop_failed(self, doing, resource):
        self._record_resource_exception(
            message=f"While {doing}:\n{{traceback_exc}}\n{{fetch_msg}}",
            resource=resource,
            msg_store=self.stop_exceptions,
        )
        resource.force_stop()

    @staticmethod
    def _is_down(resource):
        return resource.status in (resource.STATUS.STOPPING, resource.STATUS.STOPPED)

    def sync_stop_resource(self, resource):
        """Stops one and waits for its end."""
        if self._is_down(resource):
            return
        try:
            resource.stop()
            if resource.async_start:
                resource.wait(resource.STATUS.STOPPED)
        except Exception:
            self._stop_failed("stopping resource {resource}", resource)
        resource.logger.info("%s stopped", resource)

    def stop(self, is_reversed=False):
        """Stops all, whatever fails; `stop_exceptions` has the texts."""
        resources = list(self._resources.values())
        awaited = []
        for resource in reversed(resources) if is_reversed else resources:
            if self._is_down(resource):
                continue
            try:
                resource.stop()
            except Exception:
                self._stop_failed("stopping resource {resource}", resource)
            else:
                if resource.async_start and resource.status == resource.STATUS.STOPPING:
                    awaited.append(resource)
        for resource in awaited:
            try:
                resource.wait(resource.STATUS.STOPPED)
            except Exception:
                self._stop_failed("waiting for resource {resource} to stop", resource)
            resource.logger.info("%s stopped", resource)

    def start_in_pool(self, pool, timeout=None):
        """Starts all at once in a pool of threads."""
        self._in_pool(pool, "start", [each for each in self if each.auto_start], self.start_exceptions, timeout)

    def stop_in_pool(self, pool, timeout=None):
        """Stops all at once in a pool of threads."""
        self._in_pool(pool, "stop", list(self), self.stop_exceptions, timeout)

    def _in_pool(self, pool, verb, resources, exceptions, timeout):
        import multiprocessing
        import traceback

        for resource in self:
            if resource.auto_start:
                resource.cfg.set_local("async_start", False)

        def guarded(resource):
            try:
                getattr(resource, verb)()
            except Exception:
                told = f"While executing {verb} of resource [{resource}]\n{traceback.format_exc()}"
                resource.logger.error(told)
                exceptions[resource] = told

        try:
            pool.map_async(guarded, resources).get(timeout)
        except multiprocessing.TimeoutError:
            doing = "starting" if verb == "start" else "stopping"
            raise RuntimeError(
                f"timeout after {timeout}s when {doing} resources {list(self)} in internal threading pool."
            ) from None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
