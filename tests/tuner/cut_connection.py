"""A proxy in front of PostgreSQL that breaks off where a test wants it."""

import socket
import threading
from contextlib import closing, suppress


class Cut:
    """Passes everything on, until a client has sent the words that it is armed with, in this order.

    The message with the last word gets through and its answer does not: the client cannot know
    what came of it. With ``swallow``, the message is lost as well.
    """

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._words, self._swallow = [], False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lines = []
        self.port = self._listener.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, *words, swallow=False):
        self._words, self._swallow = list(words), swallow

    def close(self):
        """Take no more connections, and end those that are open."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._lines:
            line.close()

    def is_due(self, data):
        """Whether a message is the one to break off at; only one is."""
        if not self._words or self._words[0] not in data:
            return False
        del self._words[0]
        self.cuts += not self._words
        return not self._words

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._lines.append(Line(self, client, server))

    def through(self, data):
        return b"" if self._swallow else data


class Line:
    """One connection: a thread per direction."""

    def __init__(self, cut, client, server):
        self._cut, self._client, self._server = cut, client, server
        self._silent = False
        for work in (self._ask, self._answer):
            threading.Thread(target=work, daemon=True).start()

    def close(self):
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _ask(self):
        with closing(self._client), suppress(OSError):
            while data := self._client.recv(65536):
                if self._cut.is_due(data):
                    self._silent = True
                    data = self._cut.through(data)
                self._server.sendall(data)
                if self._silent and not data:
                    break
        self.close()

    def _answer(self):
        with closing(self._server), suppress(OSError):
            while data := self._server.recv(65536):
                if self._silent:
                    break
                self._client.sendall(data)
        self.close()
