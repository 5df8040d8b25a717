"""What people type wrong or buy wrong: every camera says what it is and what to do about it."""

import http.server
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.ingest import Source
from pipeline.ingest.tls import Trust
from pipeline.rehearsal.city import CityCamera, running_city
from pipeline.rehearsal.rtsp import Login
from pipeline.settings import HostSettings, IngestSettings, TlsSettings

SIZE = (320, 192)
SETTINGS = IngestSettings(open_timeout_s=4, read_timeout_s=4)
HEAD = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
STREAMS = {
    "audio": "m=audio 0 RTP/AVP 0\r\na=control:t\r\n",
    "mjpeg": "m=video 0 RTP/AVP 26\r\na=control:t\r\n",
    "unknown": "m=video 0 RTP/AVP 96\r\na=rtpmap:96 FOOBAR/90000\r\na=control:t\r\n",
    "metadata": "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n"
    "a=control:t\r\n",
    "nothing": "",
}


def refusal(url, settings=SETTINGS):
    source = Source("c", url, settings, size=SIZE, clock=SystemClock())
    with pytest.raises(SourceError) as caught:
        next(source.looks())
    assert "s3cret" not in str(caught.value)
    return caught.value


class Talker:
    """A device that answers RTSP requests: one description, and one status for everything else."""

    def __init__(self, description="", status="200 OK", context=None):
        self.description, self.status, self.context = description, status, context
        self.requests = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with suppress(OSError, IndexError, ValueError), connection:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                while request := connection.recv(4096).decode():
                    self.requests.append(request)
                    connection.sendall(self.reply(request))

    def reply(self, request):
        lines = request.split("\r\n")
        cseq = next(line for line in lines if line.lower().startswith("cseq"))
        more = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n",
            "DESCRIBE": "Content-Type: application/sdp\r\n"
            f"Content-Length: {len(self.description)}\r\n",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
        }
        method = request.split()[0]
        status = self.status if method == "DESCRIBE" else "200 OK"
        body = self.description if method == "DESCRIBE" and status.startswith("200") else ""
        kind = more.get(method, "") if status.startswith("200") else ""
        return f"RTSP/1.0 {status}\r\n{cseq}\r\nSession: 1\r\n{kind}\r\n{body}".encode()


@contextmanager
def talking(*args, **more):
    talker = Talker(*args, **more)
    try:
        yield talker
    finally:
        talker.server.close()


@pytest.mark.parametrize("scheme", ["http", "https", "rtmp", "rtp", "rstp", "ftp"])
def test_an_address_of_the_wrong_kind_names_the_right_ones(scheme):
    error = refusal(f"{scheme}://admin:s3cret@127.0.0.1/ch1")
    assert error.state == "unsupported"
    assert "rtsp://" in error.reason
    assert "以 rtsp://" in error.reason


@pytest.mark.parametrize("password", ["p@ss", "p:ss", "100%", "a%zb", "中文密码", "a b", "a&b=c"])
@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_most_passwords_work_as_they_are_typed(tiny_clip, password, scheme):
    login = Login("ad@min", password, scheme)
    with running_city({"clip": tiny_clip}, {"a": CityCamera("clip", login=login)}) as city:
        url = city.url("a").replace(login.in_url, f"{login.user}:{password}@")
        assert url != city.url("a")
        looks = Source("a", url, SETTINGS, size=SIZE, clock=SystemClock()).looks()
        next(looks)
        looks.close()


@pytest.mark.parametrize("password", ["s3cret/1", "s3cret?1", "s3cret#1", "s3cret[1]", "s3cret]1"])
def test_passwords_that_cut_an_address_in_two_are_to_be_escaped(password):
    error = refusal(f"rtsp://admin:{password}@127.0.0.1:554/ch1")
    assert error.state == "unsupported"
    assert "%2F" in error.reason
    assert "转义" in error.reason


def test_a_password_that_looks_like_a_port_and_a_path_is_to_be_escaped_too():
    error = refusal("rtsp://no-such-host.invalid:12/s3cret@127.0.0.1:554/ch1")
    assert "%2F" in error.reason


@pytest.mark.parametrize(
    "kind, words",
    [
        ("audio", "no video"),
        ("metadata", "no video"),
        ("nothing", "no video"),
        ("mjpeg", "MJPEG"),
        ("unknown", "video codec"),
    ],
)
def test_streams_that_show_nothing_we_can_use_are_named(kind, words):
    with talking(HEAD + STREAMS[kind]) as device:
        quick = SETTINGS.model_copy(update={"open_timeout_s": 1.0, "read_timeout_s": 1.0})
        error = refusal(f"rtsp://admin:s3cret@127.0.0.1:{device.port}/ch1", quick)
    assert error.state == "unsupported"
    assert words in error.reason
    assert not error.of_host


@pytest.mark.parametrize(
    "status, state, words",
    [
        ("401 Unauthorized", "unauthorised", "user and password"),
        ("403 Forbidden", "unauthorised", "user and password"),
        ("404 Not Found", "unreachable", "404"),
        ("453 Not Enough Bandwidth", "unreachable", "sessions"),
        ("503 Service Unavailable", "unreachable", "sessions"),
        ("400 Bad Request", "unsupported", "stream settings"),
    ],
)
def test_what_a_device_answers_is_understood(status, state, words):
    with talking(status=status) as device:
        error = refusal(f"rtsp://admin:s3cret@127.0.0.1:{device.port}/ch1")
    assert (error.state, error.of_host) == (state, False)
    assert words in error.reason


class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_web_server_is_recognised():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        error = refusal(f"rtsp://admin:s3cret@127.0.0.1:{server.server_port}/ch1")
        server.shutdown()
    assert error.state == "unsupported"
    assert "doesn't speak RTSP" in error.reason
    assert not error.of_host


def test_a_device_that_accepts_and_keeps_silent_is_not_taken_for_a_dead_host():
    quick = SETTINGS.model_copy(update={"open_timeout_s": 0.5})
    with socket.create_server(("127.0.0.1", 0)) as server:
        error = refusal(f"rtsp://127.0.0.1:{server.getsockname()[1]}/ch1", quick)
    assert (error.state, error.of_host) == ("unreachable", False)
    assert "takes the connection" in error.reason


def test_a_host_that_does_not_answer_at_all_is_told_from_its_cameras():
    """A full backlog drops new connections, as a host without power does."""
    quick = SETTINGS.model_copy(update={"open_timeout_s": 0.5})
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        error = refusal(f"rtsp://admin:s3cret@127.0.0.1:{address[1]}/secret-path", quick)
        for filler in fillers:
            filler.close()
    assert (error.state, error.of_host) == ("unreachable", True)
    assert "power and network" in error.reason
    assert "secret-path" not in error.reason  # it is said to all cameras of the host


def test_refused_and_unresolved_concern_the_host(unused_port):
    for url in (f"rtsp://127.0.0.1:{unused_port}/x", "rtsp://no-such-host.invalid/x"):
        assert refusal(url).of_host


# Certificates


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with an authority and certificates by it: good, for another name, expired."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name, subject, days in (("authority", "/CN=authority", 9), ("self", "/CN=camera", 9)):
        where = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", str(days))
        alternative = ("-addext", "subjectAltName=IP:127.0.0.1")
        openssl(folder, "req", "-x509", *key, *where, "-subj", subject, *alternative)
    for name, days in (("good", 9), ("other", 9), ("expired", -1)):
        host = "DNS:camera.example" if name == "other" else "IP:127.0.0.1,DNS:localhost"
        (folder / "names").write_text(f"subjectAltName={host}\n")
        openssl(
            folder, "req", *key, "-keyout", f"{name}.key", "-out", "request", "-subj", "/CN=camera"
        )
        by = ("-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial")
        what = ("-in", "request", "-extfile", "names", "-days", str(days), "-out", f"{name}.pem")
        openssl(folder, "x509", "-req", *by, *what)
    return folder


@pytest.fixture
def encrypted(certificates):
    """Start a device with one of the certificates."""
    talkers = []

    def start(name, **more):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
        talkers.append(Talker(context=context, **more))
        return talkers[-1]

    yield start
    for talker in talkers:
        talker.server.close()


def trusting(path, **hosts):
    tls = TlsSettings(ca_file=path)
    return SETTINGS.model_copy(update={"tls": tls, "hosts": hosts})


@pytest.mark.parametrize(
    "name, words",
    [
        ("self", ("self-signed", "ingest.tls.ca_file", "verify: false")),
        ("expired", ("expired", "已过期")),
        ("other", ("another name", "证书上的名称")),
    ],
)
def test_bad_certificates_are_told_apart_and_no_password_is_sent(
    certificates, encrypted, name, words
):
    device = encrypted(name)
    url = f"rtsps://admin:s3cret@127.0.0.1:{device.port}/ch1"
    error = refusal(url, trusting(certificates / "authority.pem"))
    assert error.state == "unsupported"
    assert all(word in error.reason for word in words)
    assert not [request for request in device.requests if "DESCRIBE" in request]


def test_an_issuer_nobody_knows_is_named(certificates, encrypted):
    device = encrypted("good")
    error = refusal(f"rtsps://127.0.0.1:{device.port}/ch1", trusting(certificates / "self.pem"))
    assert "doesn't trust" in error.reason


@pytest.mark.parametrize("name", ["good", "self"])
def test_a_certificate_that_is_good_or_trusted_itself_lets_the_request_through(
    certificates, encrypted, name
):
    device = encrypted(name, status="404 Not Found")
    trusted = certificates / ("authority.pem" if name == "good" else "self.pem")
    error = refusal(f"rtsps://127.0.0.1:{device.port}/ch1", trusting(trusted))
    assert "404" in error.reason


def test_the_check_can_be_left_out_for_one_host_or_for_all(certificates, encrypted):
    device = encrypted("expired", status="404 Not Found")
    url = f"rtsps://127.0.0.1:{device.port}/ch1"
    lenient = trusting(certificates / "authority.pem", **{"127.0.0.1": HostSettings(verify=False)})
    assert "404" in refusal(url, lenient).reason
    nowhere = SETTINGS.model_copy(update={"tls": TlsSettings(verify=False)})
    assert "404" in refusal(url, nowhere).reason
    strict = {f"127.0.0.1:{device.port}": HostSettings(verify=True)}
    assert (
        "expired"
        in refusal(
            url,
            nowhere.model_copy(
                update={"hosts": strict, "tls": trusting(certificates / "authority.pem").tls}
            ),
        ).reason
    )


def test_without_a_file_the_system_is_asked_whom_to_trust():
    trust = Trust.of("rtsps://10.0.0.5/x", SETTINGS)
    assert trust.verify
    assert trust.ca_file == ssl.get_default_verify_paths().cafile
    assert trust.options("rtsp://10.0.0.5/x") == {}
    assert trust.options("rtsps://10.0.0.5/x")["tls_verify"] == "1"


def test_a_file_of_certificates_that_is_missing_is_named(tmp_path, encrypted):
    device = encrypted("good")
    error = refusal(f"rtsps://127.0.0.1:{device.port}/ch1", trusting(tmp_path / "none.pem"))
    assert "ingest.tls.ca_file" in error.reason
    assert "can't be read" in error.reason


def test_encrypted_and_plain_ports_are_told_apart(encrypted):
    device = encrypted("good")
    assert "rtsps://" in refusal(f"rtsp://127.0.0.1:{device.port}/ch1").reason
    with talking() as plain:
        error = refusal(f"rtsps://admin:s3cret@127.0.0.1:{plain.port}/ch1")
    assert error.state == "unsupported"
    assert "doesn't speak TLS" in error.reason
