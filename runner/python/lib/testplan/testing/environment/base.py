# SPDX-License-Identifier: GPL-2.0-or-later
"""TestEnvironment: starts drivers as soon as those that they depend on have started."""

import copy
import queue
import time

from testplan.common.config import UNSET
from testplan.common.entity.base import Environment
from testplan.common.utils.timing import TimeoutException, TimeoutExceptionInfo, intervals

DEFAULT_CONCURRENT_DRIVER_OP_WORKER_UPPERLIMIT = 32


class DriverPocketwatch:
    """How long a driver has taken, and when to look at it again."""

    def __init__(self, total_wait, interval):
        self.total_wait = total_wait
        self._intervals = intervals(interval)
        self.start_time = 0

    def record_start(self):
        self.start_time = time.time()

    def should_check(self):
        """Always: whoever has this watch sleeps sleep_interval before."""
        return True

    @property
    def sleep_interval(self):
        return next(self._intervals)

    @property
    def expired(self):
        return time.time() >= self.start_time + self.total_wait


class TestEnvironment(Environment):
    """An environment in which some drivers wait for others."""

    __test__ = False

    def __init__(self, parent=None):
        super().__init__(parent)
        self.__dict__.update(_orig_dependency=None, _rt_dependency=None, _pocketwatches={})

    def set_dependency(self, dependency):
        """Takes a graph of parse_dependency(). Drivers that it does not name depend on nothing."""
        if dependency is None:
            return
        for driver in dependency.vertices.values():
            if self._resources.get(driver.uid()) is not driver:
                raise ValueError(
                    f"Driver {driver} used in `dependencies` parameter while not being declared in `environment` parameter."
                )
        for driver in self:
            if driver.cfg.async_start != UNSET:
                raise ValueError(
                    f"`async_start` parameter of driver {driver} should not be set if driver dependency is specified."
                )
            driver.async_start = True
            dependency.add_vertex(id(driver), driver)
        self._orig_dependency = dependency

    def start_in_pool(self, *_):
        raise RuntimeError("a TestEnvironment is started by start()")

    def stop_in_pool(self, *_):
        raise RuntimeError("a TestEnvironment is stopped by stop()")

    def _await_started(self, driver, watch):
        """In a thread of its own."""
        while True:
            time.sleep(watch.sleep_interval)
            if driver.started_check():
                if watch.expired:
                    driver.logger.error(
                        "Timeout when starting %s despite it's probably started now. %s",
                        driver,
                        TimeoutExceptionInfo(watch.start_time).msg(),
                    )
                driver._after_started()
                driver.logger.info("%s started", driver)
                return
            if watch.expired:
                raise TimeoutException(
                    f"Timeout when starting {driver}. {TimeoutExceptionInfo(watch.start_time).msg()}"
                )

    def _await_stopped(self, driver, watch):
        while not driver.stopped_check_with_watch(watch):
            time.sleep(watch.sleep_interval)
        driver._mark_stopped()
        driver.logger.info("%s stopped", driver)

    def _process(self, begin, follow, failed):
        """Calls `begin` for each driver in order and `follow` in a thread; `failed` says whether to go on after it."""
        from concurrent.futures import ThreadPoolExecutor

        graph = self._rt_dependency
        ended = queue.SimpleQueue()

        def followed(driver, watch):
            try:
                follow(driver, watch)
                ended.put((driver, True))
            except Exception:
                ended.put((driver, failed(driver, True)))

        def begun(driver):
            watch = self._pocketwatches[driver.uid()]
            graph.mark_processing(driver)
            try:
                watch.record_start()
                begin(driver)
            except Exception:
                graph.mark_failed_to_process(driver)
                return failed(driver, False) is None
            pool.submit(followed, driver, watch)
            return True

        workers = max(1, min(DEFAULT_CONCURRENT_DRIVER_OP_WORKER_UPPERLIMIT, len(graph)))
        with ThreadPoolExecutor(max_workers=workers) as pool:
            while not graph.all_drivers_processed():
                for driver in graph.drivers_to_process():
                    if not begun(driver):
                        graph.purge_drivers_to_process()
                        break
                if not graph.drivers_processing():
                    continue
                driver, outcome = ended.get()
                if outcome is True:
                    graph.mark_processed(driver)
                    continue
                graph.mark_failed_to_process(driver)
                if outcome is False:
                    graph.purge_drivers_to_process()

    def start(self):
        """Starts all drivers, each as soon as it may. After a failure nothing new begins."""
        if self._orig_dependency is None:
            super().start()
            return
        self._rt_dependency = copy.copy(self._orig_dependency)
        for driver in self:
            self._pocketwatches[driver.uid()] = DriverPocketwatch(driver.start_timeout, driver.started_check_interval)

        def failed(driver, while_waiting):
            doing = "waiting for driver {resource} to start" if while_waiting else "starting driver {resource}"
            self._record_resource_exception(
                message=f"While {doing}:\n{{traceback_exc}}\n{{fetch_msg}}",
                resource=driver,
                msg_store=self.start_exceptions,
            )
            return False

        self._process(lambda driver: driver.start(), self._await_started, failed)

    def stop(self, is_reversed=False):
        """Stops all that were started, the other way round, whatever fails."""
        if self._orig_dependency is None:
            super().stop(is_reversed=is_reversed)
            return
        self._rt_dependency = self._orig_dependency.transpose()
        for driver in self:
            if driver.status == driver.STATUS.NONE:
                self._rt_dependency.remove_vertex(id(driver))
            self._pocketwatches[driver.uid()] = DriverPocketwatch(driver.stop_timeout, driver.stopped_check_interval)

        def failed(driver, while_waiting):
            doing = "waiting for driver {resource} to stop" if while_waiting else "stopping driver {resource}"
            self._record_resource_exception(
                message=f"While {doing}:\n{{traceback_exc}}\n{{fetch_msg}}",
                resource=driver,
                msg_store=self.stop_exceptions,
            )
            driver.force_stop()
            driver.logger.info("%s force stopped", driver)

        self._process(lambda driver: driver.stop(), self._await_stopped, failed)
