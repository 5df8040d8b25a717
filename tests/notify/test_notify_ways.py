"""Each way to a recipient, against servers that check what they get as the makers describe it."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from receivers import HttpReceiver
from ticket_town import NOON, incident

from pipeline.clock import ManualClock
from pipeline.errors import NotifyError, SignatureError
from pipeline.settings import ConsoleSettings
from pipeline.tickets import recipients_of, try_out
from pipeline.tickets.notify import Verifier
from pipeline.tickets.notify.compose import plain
from pipeline.tickets.notify.guard import allowed, connected
from pipeline.tickets.notify.robots import fitting
from pipeline.tickets.notify.webhook import signed_headers

OK = b'{"errcode":0,"errmsg":"ok"}'


@pytest.fixture
def test_message(settings, clock):
    """Send one to a recipient of these settings."""

    def send(recipient, **more):
        try_out(recipients_of(settings({"one": recipient}, **more))["one"], clock=clock)

    return send


def test_a_dingtalk_robot_gets_its_signature_in_the_url(receiver, test_message, clock):
    receiver.script = [OK]
    test_message({"way": "dingtalk", "url": receiver.url, "secret": "SEC1"})
    (request,) = receiver.got
    query = parse_qs(urlsplit(request.path).query)
    (milliseconds,) = query["timestamp"]
    assert int(milliseconds) == clock.now() * 1000
    mac = hmac.new(b"SEC1", f"{milliseconds}\nSEC1".encode(), hashlib.sha256).digest()
    assert query["sign"] == [base64.b64encode(mac).decode()]
    assert query["key"] == ["hidden-key"]
    assert request.json["msgtype"] == "text"
    assert "通知测试" in request.json["text"]["content"]


def test_a_feishu_robot_gets_its_signature_in_the_body(receiver, test_message, clock):
    receiver.script = [b'{"code":0,"msg":"success","data":{}}']
    test_message({"way": "feishu", "url": receiver.url, "secret": "SEC2"})
    body = receiver.got[0].json
    key = f"{body['timestamp']}\nSEC2".encode()
    assert int(body["timestamp"]) == int(clock.now())
    assert body["sign"] == base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
    assert body["msg_type"] == "text"
    assert "通知测试" in body["content"]["text"]


def test_a_wecom_robot_gets_no_more_text_than_it_takes(
    receiver, desk, settings, new_notifier, play
):
    receiver.script = [OK]
    made = settings({"one": {"way": "wecom", "url": receiver.url}})
    far = ConsoleSettings(url=f"https://grid.example/{1000 * 'x'}")
    notifier = new_notifier(made.model_copy(update={"console": far}))
    for n in range(40):
        desk.file(incident(n, hazard="road_damage", east_m=60 + 40 * n))
    play(notifier, seconds=20)
    content = receiver.got[0].json["text"]["content"]
    assert len(content.encode()) <= 2048
    assert content.endswith("……")
    assert "40 件" in content


@pytest.mark.parametrize(
    "way, answer, again",
    [
        ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', False),
        ("dingtalk", b'{"errcode":130101,"errmsg":"send too fast"}', True),
        ("wecom", b'{"errcode":93000,"errmsg":"invalid webhook url"}', False),
        ("wecom", b'{"errcode":45009,"errmsg":"api freq out of limit"}', True),
        ("feishu", b'{"code":19021,"msg":"sign match fail"}', False),
        ("feishu", b'{"code":11232,"msg":"frequency limited"}', True),
        ("feishu", b"<html>not a robot</html>", True),
        ("wecom", b"[]", True),
    ],
)
def test_a_robot_that_answers_200_and_refuses_has_refused(
    receiver, test_message, way, answer, again
):
    receiver.script = [answer]
    with pytest.raises(NotifyError) as caught:
        test_message({"way": way, "url": receiver.url, "secret": None})
    assert caught.value.again is again


def test_a_text_is_cut_between_characters():
    text = "豫龙镇" * 100
    for most in range(100, 110):
        cut = fitting(text, most)
        assert len(cut.encode()) <= most
        assert text.startswith(cut.removesuffix("\n……"))
    assert fitting("short", 100) == "short"


def test_names_carry_no_line_breaks_and_no_mentions_into_a_message():
    assert plain('a\r\nBcc: x\u2028<at user_id="all">') == 'a  Bcc: x ＜at user_id="all"＞'


class TestVerifier:
    BODY = b'{"delivery":"d1"}'

    @pytest.fixture
    def clock(self):
        return ManualClock(NOON)

    @pytest.fixture
    def verifier(self, clock):
        return Verifier(["new", "old"], clock=clock)

    def signed(self, secret="new", now=NOON):
        return signed_headers(secret, "d1", self.BODY, now)

    @pytest.mark.parametrize("secret", ["new", "old"])
    def test_either_secret_of_a_change_is_good(self, verifier, secret):
        assert verifier.verify(self.signed(secret), self.BODY) == "d1"

    def test_the_names_of_headers_may_come_in_any_case(self, verifier):
        headers = {name.upper(): value for name, value in self.signed().items()}
        assert verifier.verify(headers, self.BODY) == "d1"

    def test_what_came_before_is_refused(self, verifier, clock):
        verifier.verify(self.signed(), self.BODY)
        clock.move_to(NOON + 299)
        with pytest.raises(SignatureError, match="replays"):
            verifier.verify(self.signed(), self.BODY)

    def test_another_try_of_the_same_delivery_is_not_a_replay(self, verifier, clock):
        verifier.verify(self.signed(), self.BODY)
        clock.move_to(NOON + 5)
        assert verifier.verify(self.signed(now=NOON + 5), self.BODY) == "d1"

    @pytest.mark.parametrize("now", [NOON - 302, NOON + 302])
    def test_an_old_timestamp_is_refused_and_one_of_the_future(self, verifier, now):
        with pytest.raises(SignatureError, match="at most 300"):
            verifier.verify(self.signed(now=now), self.BODY)

    def test_a_timestamp_put_forward_breaks_the_signature(self, verifier, clock):
        clock.move_to(NOON + 1000)
        headers = self.signed() | {"Gridwatch-Timestamp": str(int(NOON + 1000))}
        with pytest.raises(SignatureError, match="not signed"):
            verifier.verify(headers, self.BODY)

    def test_a_changed_body_or_another_secret_is_refused(self, verifier):
        with pytest.raises(SignatureError, match="not signed"):
            verifier.verify(self.signed(), self.BODY + b" ")
        with pytest.raises(SignatureError, match="not signed"):
            verifier.verify(self.signed("else"), self.BODY)

    @pytest.mark.parametrize("gone", ["Delivery", "Timestamp", "Signature"])
    def test_a_missing_header_is_refused(self, verifier, gone):
        headers = self.signed()
        del headers[f"Gridwatch-{gone}"]
        with pytest.raises(SignatureError, match="missing"):
            verifier.verify(headers, self.BODY)

    def test_a_signature_that_is_no_ascii_is_refused(self, verifier):
        with pytest.raises(SignatureError):
            verifier.verify(self.signed() | {"Gridwatch-Signature": "v1=é"}, self.BODY)


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
    "100.64.0.1", "224.0.0.1", "240.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1", "2002:0a00:0001::", "ff02::1", "::",
]  # fmt: skip


class TestTargets:
    @pytest.mark.parametrize("address", PRIVATE)
    def test_what_is_no_public_host_is_refused(self, address):
        assert not allowed(ip_address(address), ())

    @pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
    def test_a_public_host_is_not(self, address):
        assert allowed(ip_address(address), ())

    def test_a_private_network_may_be_allowed_alone(self, settings):
        networks = settings({}, allow=["10.1.0.0/16"]).notify.networks
        assert allowed(ip_address("10.1.2.3"), networks)
        assert allowed(ip_address("::ffff:10.1.2.3"), networks)
        assert not allowed(ip_address("10.2.2.3"), networks)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433"])
    def test_a_target_on_this_machine_is_refused_before_anything_is_sent(
        self, receiver, test_message, host
    ):
        url = f"http://{host}:{receiver.port}/hook"
        with pytest.raises(NotifyError, match=r"not a public address") as caught:
            test_message({"way": "webhook", "url": url, "secret": "s"}, allow=[])
        assert caught.value.again is False
        assert receiver.got == []

    def test_a_name_that_means_a_private_address_among_others_is_refused(self, monkeypatch):
        answers = [(2, 1, 6, "", ("1.1.1.1", 80)), (2, 1, 6, "", ("192.168.0.1", 80))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
        with pytest.raises(NotifyError, match=r"192\.168\.0\.1: not a public"):
            connected("two.example", 80, allow=(), timeout_s=1)

    def test_a_name_is_resolved_once_and_the_address_that_was_judged_is_reached(
        self, receiver, test_message, monkeypatch
    ):
        asked = []
        resolve = socket.getaddrinfo

        def rebinding(host, *more, **named):
            if host == "rebound.example":
                asked.append(host)
                host = "127.0.0.1" if len(asked) == 1 else "10.255.255.1"
            return resolve(host, *more, **named)

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        url = f"http://rebound.example:{receiver.port}/hook"
        test_message({"way": "webhook", "url": url, "secret": "s"})
        assert len(asked) == 1
        assert receiver.got[0].headers["Host"] == f"rebound.example:{receiver.port}"

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://127.0.0.1:99999/"])
    def test_nobody_there_is_an_error_without_the_url(self, test_message, url):
        with pytest.raises(NotifyError) as caught:
            test_message({"way": "webhook", "url": f"{url}?key=hidden-key", "secret": "s"})
        assert "hidden-key" not in str(caught.value)

    def test_over_tls_the_time_limit_holds_as_well(self, certificate, test_message, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # trusted on this machine
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with HttpReceiver("slow", 200, tls=context) as receiver:
            url = f"https://localhost:{receiver.port}/hook"
            recipient = {"way": "webhook", "url": url, "secret": "s"}
            how = {"timeout_s": 0.5, "allow": ["127.0.0.0/8", "::1/128"]}
            with pytest.raises(NotifyError, match="no answer within"):
                test_message(recipient, **how)
            test_message(recipient, **how)
            assert len(receiver.got) == 2

    def test_a_certificate_that_nobody_knows_is_refused(self, certificate, test_message):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with HttpReceiver(tls=context) as receiver:
            url = receiver.url.replace("http://", "https://")
            with pytest.raises(NotifyError, match="self-signed certificate"):
                test_message({"way": "webhook", "url": url, "secret": "s"})
            assert receiver.got == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for localhost in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Mailbox:
    """Takes mail, unless the test says what it answers."""

    def __init__(self):
        self.got, self.answer = [], "250 taken"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the library's name
        if self.answer.startswith("250"):
            self.got.append((envelope, session))
        return self.answer


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def mail_server(mailbox, certificate):
    """Starts one; security as in the settings."""
    running = []

    def start(security="starttls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

        def login(_server, _session, _envelope, _mechanism, data):
            good = (data.login, data.password) == (b"town", b"pass-word")
            return AuthResult(success=good, handled=False)

        tls = {
            "starttls": {"tls_context": context, "require_starttls": True},
            "tls": {"ssl_context": context},
            "none": {},
        }[security]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        more = {
            "starttls": {"authenticator": login, "auth_required": True},
            "tls": {"authenticator": login, "auth_require_tls": False},  # it knows only STARTTLS
            "none": {},
        }[security]
        controller = Controller(mailbox, "127.0.0.1", port, server_hostname="mx", **tls, **more)
        controller.start()
        running.append(controller)
        login_of = {"user": "town", "password": "pass-word"} if security != "none" else {}
        return {
            "host": "localhost",
            "port": port,
            "security": security,
            "sender": "grid@town.example",
            "ca_file": str(certificate),
            **login_of,
        }

    yield start
    for one in running:
        one.stop()


MAIL = {"way": "email", "to": ["head@town.example", "deputy@town.example"]}


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_mail_goes_out_encrypted_and_says_it_in_both_languages(
    mail_server, mailbox, desk, settings, new_notifier, play, security
):
    smtp = mail_server(security)
    notifier = new_notifier(settings({"mail": MAIL}, smtp=smtp, allow=["127.0.0.0/8", "::1/128"]))
    ticket_id = desk.file(incident(hazard="road_damage")).ticket_id
    play(notifier)
    ((envelope, session),) = mailbox.got
    assert (session.ssl is not None) is (security == "starttls")
    assert envelope.mail_from == "grid@town.example"
    assert envelope.rcpt_tos == MAIL["to"]
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["Subject"] == "【较急 warning】道路破损 待受理 / road damage, to be accepted"
    assert ticket_id in mail.get_content()
    assert mail["Message-ID"].endswith("@town.example>")


@pytest.mark.parametrize(
    "change, answer, again, words",
    [
        ({"password": "wrong"}, "250 ok", True, "refuses the login"),
        ({}, "451 later", True, "answers 451"),
        ({}, "554 no", False, "answers 554"),
        ({"ca_file": None}, "250 ok", True, "self-signed certificate"),
        ({"port": 1}, "250 ok", True, "can't be reached"),
    ],
)
def test_a_mail_server_that_refuses_is_told_without_a_password(
    mail_server, mailbox, test_message, change, answer, again, words
):
    mailbox.answer = answer
    smtp = mail_server() | change
    with pytest.raises(NotifyError, match=words) as caught:
        test_message(MAIL, smtp=smtp, allow=["127.0.0.0/8", "::1/128"])
    assert caught.value.again is again
    assert smtp["password"] not in str(caught.value)
    assert mailbox.got == []


def test_a_mail_server_without_starttls_gets_neither_login_nor_mail(
    mail_server, mailbox, test_message
):
    smtp = mail_server("none") | {"security": "starttls", "user": "town", "password": "pass-word"}
    with pytest.raises(NotifyError, match="SMTPNotSupportedError"):
        test_message(MAIL, smtp=smtp, allow=["127.0.0.0/8", "::1/128"])
    assert mailbox.got == []
