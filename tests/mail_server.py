"""A mail server on the loopback: it keeps who was sent what, and refuses whom it is told to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MailServer(socketserver.ThreadingTCPServer):
    """``mails`` are the recipients of each mail and its text, ``refused`` the mailboxes that there are none of."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[tuple[list[str], str]] = []
        self.refused: set[str] = set()

    def url(self, options: str) -> str:
        return f"mailto://desk:secret@127.0.0.1:{self.server_address[1]}/?from=desk@example.org&{options}"


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        recipients: list[str] = []
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            word, _, rest = line.partition(" ")
            if word.upper() == "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN LOGIN")
            elif word.upper() == "AUTH":
                self._say("235 welcome")
            elif word.upper() == "RCPT":
                mailbox = rest.partition("<")[2].rstrip(">")
                self._say("450 try again" if mailbox in self.server.refused else "250 yes")
                recipients += [] if mailbox in self.server.refused else [mailbox]
            elif word.upper() == "DATA":
                self._say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n")).decode()
                self.server.mails.append((recipients, text))
                self._say("250 taken")
                recipients = []
            else:
                self._say("221 good-bye" if word.upper() == "QUIT" else "250 yes")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
