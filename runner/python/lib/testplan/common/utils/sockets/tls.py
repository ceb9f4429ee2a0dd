# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS for drivers that speak it by Python's ssl. The TCP drivers of this runner speak plain TCP."""

import ssl


class TLSConfig:
    """Makes a context for a server (Purpose.CLIENT_AUTH) or a client (Purpose.SERVER_AUTH)."""

    def get_context(self, purpose):
        raise NotImplementedError(f"{type(self).__name__} has no get_context()")


class DefaultTLSConfig(TLSConfig):
    def __init__(self, cacert=None):
        self.cacert = cacert

    def get_context(self, purpose):
        return ssl.create_default_context(purpose, cafile=self.cacert)


class SimpleTLSConfig(TLSConfig):
    def __init__(self, key, cert, cacert=None):
        self.key, self.cert, self.cacert = key, cert, cacert

    def get_context(self, purpose):
        context = ssl.create_default_context(purpose, cafile=self.cacert)
        context.load_cert_chain(self.cert, self.key)
        return context
