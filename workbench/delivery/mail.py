"""Reports by mail (SMTP, RFC 5321): each at most once.

What can be promised: until the server has answered the message itself, nothing was taken over and another try is safe;
after that answer the mail is noted as sent. If the line breaks, or the program dies, between the last byte and the
answer, nobody can know, and the mail stays `uncertain` until a person decides. A `Message-ID` made of the key lets
mail systems drop a second copy.
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate, parseaddr

from workbench.delivery.errors import DeliveryError, NotConfigured, Transient
from workbench.delivery.outbox import Outbox, key_of
from workbench.delivery.over import require_over
from workbench.delivery.retrying import Sleep, tried
from workbench.exam.items import Bank
from workbench.reports.formats import session_file
from workbench.settings import Settings
from workbench.store.repository import Store

TIMEOUT_S = 30.0

_ADDRESS = re.compile(r"[!-~]+@[A-Za-z0-9.-]+")


def is_configured(settings: Settings) -> bool:
    """Whether mail is turned on."""
    return bool(settings.mail_host and settings.mail_from)


def mail_report(
    store: Store,
    banks: Mapping[str, Bank],
    settings: Settings,
    outbox: Outbox,
    session_id: str,
    *,
    to: str | None = None,
    url: str | None = None,
    actor: str = "system",
    now: datetime | None = None,
    sleep: Sleep = time.sleep,
) -> str:
    """Mails a session's report as PDF to its candidate, unless it was sent before.

    Args:
        store: Where the session is.
        banks: Today's banks, for a session that was stored without its own.
        settings: The mail server.
        outbox: What was sent.
        session_id: The session.
        to: Where to; the address of the candidate whose link it was when left out.
        url: Where the candidate reads the report; without, the PDF has to do.
        actor: Who asked for it, for the audit log.
        now: The moment; the clock's when left out.
        sleep: Waits between tries.

    Returns:
        `sent`, or `sent before`.

    Raises:
        NotConfigured: Mail is off.
        DeliveryError: The viva runs or may be taken up again, the results are held back, there is no address, or the
            server did not take the mail.
    """
    _require(settings)
    data = store.load_session(session_id)
    if data.session.status == "running":
        raise DeliveryError(f"session {session_id} is still running; mail its report once it is over")
    require_over(data.session, now, "mail its report")
    sitting = store.sitting(session_id)
    if sitting is not None and sitting.results_published_at is None:
        raise DeliveryError(f"the results of session {session_id} are not published; publish them first")
    if to is None and sitting is not None and sitting.candidate_id is not None:
        to = store.load_candidate(sitting.candidate_id).email
    if to is None:
        raise DeliveryError(f"no address is known for session {session_id}; give one")
    to = _address(to)
    key = report_key(session_id, to, sitting.results_published_at if sitting else None)
    claim = outbox.begin(key, "mail", session_id)
    if claim == "sent":
        return "sent before"
    if claim == "uncertain":
        raise DeliveryError(
            f"the mail of session {session_id} was begun and its end is not known; ask whether it arrived, and if not:"
            f" viva deliver release {key}",
            uncertain=True,
        )
    try:
        file = session_file(data, banks, "pdf")
        message = _message(settings, to, key)
        message["Subject"] = "Your oral examination: the report"
        message.set_content(_body(url))
        message.add_attachment(file.content, maintype="application", subtype="pdf", filename=file.name)
        tried(lambda: _send(settings, to, message), tries=settings.delivery_tries, sleep=sleep)
    except DeliveryError as error:
        if not error.uncertain:
            outbox.failed(key, str(error))
        raise
    except Exception:
        # nothing left this machine: what fails after the last byte is a DeliveryError
        outbox.failed(key, "the report could not be made")
        raise
    outbox.sent(key)
    store.note(actor, "report.mailed", session_id)
    return "sent"


def report_key(session_id: str, to: str, published_at: datetime | None) -> str:
    """The key under which the outbox knows a mail: results that are published anew are mailed anew."""
    return key_of("mail", session_id, to.lower(), published_at.isoformat() if published_at else "")


def _body(url: str | None) -> str:
    where = f"You can also read it here; the address opens your report only, so keep it to yourself:\n{url}\n\n"
    return (
        "The results of your oral examination are published; the report is attached as a PDF.\n\n"
        f"{where if url else ''}"
        "Marks made by a program can be wrong: if you think that one is, ask your examiner to look at it.\n"
    )


def send_test(settings: Settings, to: str, *, sleep: Sleep = time.sleep) -> str:
    """Sends a mail that says it is a test; returns a sentence that says where it went.

    Raises:
        NotConfigured: Mail is off.
        DeliveryError: The server did not take it.
    """
    _require(settings)
    to = _address(to)
    message = _message(settings, to, key_of("test", str(time.time_ns())))
    message["Subject"] = "Viva Workbench: test"
    message.set_content("This is a test of the Viva Workbench's mail. It works.\n")
    tried(lambda: _send(settings, to, message), tries=settings.delivery_tries, sleep=sleep)
    return f"{settings.mail_host}:{settings.mail_port} took a test mail to {to}"


def _require(settings: Settings) -> None:
    if not is_configured(settings):
        raise NotConfigured("mail is off; set VIVA_MAIL_HOST and VIVA_MAIL_FROM to turn it on")


def _address(given: str) -> str:
    address = parseaddr(given)[1]
    if address != given.strip() or not _ADDRESS.fullmatch(address):
        raise DeliveryError(f"{given[:80]!r} is no mail address such as ada@example.org")
    return address


def _message(settings: Settings, to: str, key: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = settings.mail_from
    message["To"] = to
    message["Date"] = formatdate(localtime=False)
    domain = parseaddr(settings.mail_from)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{key}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    return message


def _send(settings: Settings, to: str, message: EmailMessage) -> None:
    """One try; what it raises says whether another is safe."""
    where = f"{settings.mail_host}:{settings.mail_port}"
    server = _connected(settings, where)
    try:
        try:
            code, _ = server.mail(parseaddr(settings.mail_from)[1])
            _refuse(code, where, "the sender")
            code, _ = server.rcpt(to)
            _refuse(code, where, "the recipient")
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise Transient(f"{where} broke off before the mail ({type(error).__name__})") from None
        try:
            code, _ = server.data(message.as_bytes())
        except smtplib.SMTPDataError as error:
            # the server answered the word DATA itself: it has not seen the mail
            code = error.smtp_code
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(
                f"{where} broke off while it took the mail ({type(error).__name__}); it may have arrived",
                uncertain=True,
            ) from None
        _refuse(code, where, "the mail")
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()


def _connected(settings: Settings, where: str) -> smtplib.SMTP:
    host, port = str(settings.mail_host), settings.mail_port
    context = ssl.create_default_context(cafile=str(settings.mail_ca_file) if settings.mail_ca_file else None)
    server: smtplib.SMTP | None = None
    try:
        if settings.mail_security == "tls":
            server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
            if settings.mail_security == "starttls":
                server.starttls(context=context)
        if settings.mail_username:
            password = settings.mail_password.get_secret_value() if settings.mail_password else ""
            server.login(settings.mail_username, password)
        server.ehlo_or_helo_if_needed()
    except BaseException as error:
        if server is not None:
            server.close()
        raise _explained(error, where, settings) from None
    return server


def _explained(error: BaseException, where: str, settings: Settings) -> BaseException:
    """Why no connection came about, in words that hold no password."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return DeliveryError(
            f"{where} shows a certificate that is not trusted; set VIVA_MAIL_CA_FILE if it is your own"
        )
    if isinstance(error, smtplib.SMTPAuthenticationError):
        if 400 <= error.smtp_code < 500:
            return Transient(f"{where} cannot check the login now ({error.smtp_code})")
        return DeliveryError(f"{where} refused the login ({error.smtp_code}); see VIVA_MAIL_USERNAME and _PASSWORD")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return DeliveryError(
            f"{where} lacks what VIVA_MAIL_SECURITY={settings.mail_security} or a login needs; allowed: starttls, tls,"
            " none"
        )
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500:
        return DeliveryError(f"{where} refused the connection ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPException | OSError):
        return Transient(f"{where} cannot be reached ({type(error).__name__}); see VIVA_MAIL_HOST and VIVA_MAIL_PORT")
    return error


def _refuse(code: int, where: str, what: str) -> None:
    if 400 <= code < 500:
        raise Transient(f"{where} does not take {what} now ({code})")
    if not 200 <= code < 400:
        raise DeliveryError(f"{where} refused {what} ({code})")
