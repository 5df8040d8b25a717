"""E-mail over SMTP, encrypted by STARTTLS or from the first byte."""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import NotifyError
from pipeline.tickets.notify.guard import connected, time_limit
from pipeline.tickets.wire import at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.settings_notify import SmtpSettings
    from pipeline.tickets.notify.guard import Network
    from pipeline.tickets.notify.message import Message

_LONGEST_SUBJECT = 120


class _Plain(smtplib.SMTP):
    """Speaks over a connection that is there already."""

    def __init__(self, host: str, connection: socket.socket, timeout_s: float) -> None:
        self._connection = connection
        super().__init__(local_hostname=socket.gethostname(), timeout=timeout_s)
        self._host = host  # STARTTLS checks the certificate against it

    def _get_socket(self, *_: Any) -> socket.socket:
        return self._connection


class Mail:
    """To one or more addresses, by the town's mail server."""

    def __init__(
        self, smtp: SmtpSettings, to: Sequence[str], *, allow: Sequence[Network], timeout_s: float
    ) -> None:
        self._smtp = smtp
        self._to = tuple(to)
        self._allow = allow
        self._timeout_s = timeout_s

    def send(self, message: Message, now: float) -> None:
        """See Channel.send. Taken by the server for at least one address counts as taken."""
        host = self._smtp.host
        raw = connected(host, self._smtp.port, allow=self._allow, timeout_s=self._timeout_s)
        with raw, time_limit(raw, self._timeout_s):
            try:
                self._exchange(raw, self._mail(message, now))
            except smtplib.SMTPAuthenticationError:
                raise NotifyError(f"{host} refuses the login") from None
            except smtplib.SMTPRecipientsRefused as error:
                codes = sorted({code for code, _ in error.recipients.values()})
                later = any(code < 500 for code in codes)
                raise NotifyError(f"{host} refuses the addresses: {codes}", again=later) from None
            except smtplib.SMTPResponseException as error:
                later = error.smtp_code < 500
                raise NotifyError(f"{host} answers {error.smtp_code}", again=later) from None
            except ssl.SSLCertVerificationError as error:
                raise NotifyError(f"{host}: {error.verify_message}") from None
            except TimeoutError:
                raise NotifyError(f"{host}: no answer within {self._timeout_s:g} s") from None
            except (OSError, smtplib.SMTPException) as error:
                why = getattr(error, "strerror", None) or type(error).__name__
                raise NotifyError(f"{host} broke off: {why}") from None

    def _exchange(self, raw: socket.socket, mail: EmailMessage) -> None:
        smtp, host = self._smtp, self._smtp.host
        connection = raw
        if smtp.security == "tls":
            connection = self._context().wrap_socket(raw, server_hostname=host)
        session = _Plain(host, connection, self._timeout_s)
        try:
            session.connect(host, smtp.port)
            session.ehlo_or_helo_if_needed()
            if smtp.security == "starttls":
                session.starttls(context=self._context())
                session.ehlo()
            if smtp.user is not None and smtp.password is not None:
                session.login(smtp.user, smtp.password.get_secret_value())
            session.send_message(mail, smtp.sender, self._to)
            # It has been taken by now: whatever goes wrong with the goodbye must not send it again.
            with suppress(OSError, smtplib.SMTPException):
                session.quit()
        finally:
            session.close()

    def _context(self) -> ssl.SSLContext:
        ca_file = self._smtp.ca_file
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))

    def _mail(self, message: Message, now: float) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        title = message.title
        mail["Subject"] = (
            title if len(title) <= _LONGEST_SUBJECT else title[:_LONGEST_SUBJECT] + "…"
        )
        mail["From"] = self._smtp.sender
        mail["To"] = ", ".join(self._to)
        mail["Date"] = format_datetime(at(now))
        # The same at every try, so that a mailbox may drop the second of two.
        mail["Message-ID"] = f"<{message.message_id}@{self._smtp.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text, charset="utf-8")
        return mail
