# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans beside Twisted's reactor; imported where a test runs in one."""

import threading

from twisted.internet import defer, error, reactor
from twisted.python import failure


class _EndReader:
    """Tells a participant's protocol of its end, which the reactor sees on a descriptor."""

    def __init__(self, who):
        self._who = who
        self._descriptor = who.ended_fd

    def fileno(self):
        return self._descriptor

    def logPrefix(self):
        return repr(self._who)

    def connectionLost(self, reason):
        """The reactor asks for it; there is nothing to lose."""

    def doRead(self):
        reactor.removeReader(self)
        self._who.protocol.processEnded(failure.Failure(_reason(self._who)))


def _reason(who):
    """The exception that Twisted has for such an end."""
    code = who.exit_code
    if code == 0:
        return error.ProcessDone(0)
    return error.ProcessTerminated(code, getattr(who, "_signal", None) or None, None)


def tell_end(who):
    """Calls protocol.processEnded() when `who` has ended, on the reactor's thread."""
    reactor.addReader(_EndReader(who))


def await_end(who, status, timeout):
    """A Deferred of an exit with `status` within so many seconds."""
    from flumotion.twisted import integration

    deferred = who.protocol.getDeferred()

    def got_exit(code):
        if code != status:
            raise integration.UnexpectedExitCodeException(who, status, code)
        return code

    deferred.addCallback(got_exit)
    if who.state == who.STARTED and not deferred.called:
        limit = reactor.callLater(timeout, who.protocol.timeout, who, status)

        def cancel_limit(result):
            if limit.active():
                limit.cancel()
            return result

        deferred.addBoth(cancel_limit)
    return deferred


def in_thread(function, *args):
    """A Deferred of what `function` returns in a thread of its own, so that the reactor goes on."""
    deferred = defer.Deferred()
    call = [(function, args)]

    def work():
        answer, result = deferred.callback, None
        try:
            function, args = call.pop()
            result = function(*args)
        except BaseException:
            answer, result = deferred.errback, failure.Failure()
        # What the plan holds goes with the test, not here: ending processes takes a moment, and the interpreter may end
        # as soon as the test is told.
        function = args = None
        reactor.callFromThread(answer, result)

    threading.Thread(target=work, name="plan").start()
    return deferred
