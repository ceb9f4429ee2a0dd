# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS: which certificates, keys and CAs. The TCP drivers give the files to the core; get_context() is for drivers that
speak TLS by Python's ssl."""

import _vt


class TLSConfig:
    """Makes a context for a server (Purpose.CLIENT_AUTH) or a client (Purpose.SERVER_AUTH)."""

    def get_context(self, purpose):
        raise NotImplementedError(f"{type(self).__name__} has no get_context()")


class DefaultTLSConfig(TLSConfig):
    """No certificate of one's own; `cacert` is who signed the other end's, by default whom the system trusts."""

    def __init__(self, cacert=None):
        self.cacert = cacert

    def get_context(self, purpose):
        import ssl

        return ssl.create_default_context(purpose, cafile=self.cacert)


class SimpleTLSConfig(TLSConfig):
    """A key and its certificate; `cacert` as above. A server with a `cacert` wants its clients to show a certificate."""

    def __init__(self, key, cert, cacert=None):
        self.key, self.cert, self.cacert = key, cert, cacert

    def get_context(self, purpose):
        import ssl

        context = ssl.create_default_context(purpose, cafile=self.cacert)
        context.load_cert_chain(self.cert, self.key)
        return context


def _options_of(tls, environment):
    """What the core is told; context values are resolved. None for no TLS."""
    from testplan.common.utils.context import expand

    if not tls:
        return None
    if tls is True:
        return _vt.driver.TlsOptions()
    if type(tls).get_context not in (DefaultTLSConfig.get_context, SimpleTLSConfig.get_context):
        raise TypeError(
            f"{type(tls).__name__} has a get_context() of its own, which the TCP drivers do not call: "
            "give them a SimpleTLSConfig or DefaultTLSConfig with files"
        )
    certificate, key, ca = (
        expand(getattr(tls, name, None), environment) or "" for name in ("cert", "key", "cacert")
    )
    return _vt.driver.TlsOptions(certificate, key, ca)
