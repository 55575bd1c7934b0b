"""What gets through the door of a server, and what does not, by HTTP and by WebSocket."""

import base64

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from mmdet2tflite.errors import ServiceError
from tasks.servers.doors import HOSTS, Door, hosts, listen, origins

PORT, PASSWORD = 4200, "me:s3:cret"
OWN, FOREIGN = "http://127.0.0.1:4200", "http://elsewhere.example"
BROWSER = ("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest")


async def answer(_: object) -> PlainTextResponse:
    return PlainTextResponse("done")


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("done")
    await socket.close()


def client(password: str | None = None) -> TestClient:
    methods = ["GET", "POST", "PUT", "OPTIONS"]
    paths = ("/api/thing", "/health", "/health/more")
    app = Starlette(
        routes=[
            *(Route(path, answer, methods=methods) for path in paths),
            WebSocketRoute("/socket", talk),
        ]
    )
    return TestClient(Door(app, hosts(PORT), password), base_url=OWN)


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def over_socket(asked: TestClient, **headers: str) -> str:
    try:
        with asked.websocket_connect(f"ws{OWN[4:]}/socket", headers=headers) as socket:
            return socket.receive_text()
    except WebSocketDisconnect:
        return "refused"


def test_a_program_and_the_servers_own_page_get_through():
    for headers in (
        {},
        {"Origin": OWN},
        {"Origin": "http://localhost:4200", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
    ):
        assert client().post("/api/thing", headers=headers).text == "done"
        assert over_socket(client(), **headers) == "done"


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example:4200",  # its name was bound to 127.0.0.1
        "elsewhere.example",
        "127.0.0.1",
        "127.0.0.1:5000",
        "127.0.0.1:4200.elsewhere.example",
        "192.168.1.1:4200",
        "0.0.0.0:4200",
        "",
    ],
)
def test_another_name_than_the_servers_is_refused(host):
    refused = client().get("/api/thing", headers={"Host": host, "X-Forwarded-Host": OWN[7:]})
    assert (refused.status_code, HOSTS in refused.text) == (403, True)
    assert over_socket(client(), Host=host) == "refused"


def test_a_forwarded_name_is_not_listened_to():
    headers = {"X-Forwarded-Host": "elsewhere.example", "Forwarded": "host=elsewhere.example"}
    assert client().get("/api/thing", headers=headers).text == "done"


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN,
        "null",
        "http://127.0.0.1:9999",
        "http://localhost",
        "http://127.0.0.1:4200.elsewhere.example",
        "http://me@127.0.0.1:4200",
        "http://[::1",
        "file://",
        "chrome-extension://127.0.0.1:4200",
        "127.0.0.1:4200",
    ],
)
def test_a_page_of_another_origin_is_refused_whatever_it_sends(origin):
    for password in (None, PASSWORD):
        asked, headers = client(password), {"Origin": origin, **basic(PASSWORD)}
        simple = {**headers, "Content-Type": "text/plain"}  # for which no browser asks beforehand
        assert asked.post("/api/thing", content="{}", headers=simple).status_code == 403
        assert asked.get("/api/thing", headers=headers).status_code == 403
        asking = {**headers, "Access-Control-Request-Method": "POST"}
        refused = asked.options("/api/thing", headers=asking)
        assert refused.status_code == 403
        assert not any(name.startswith("access-control") for name in refused.headers)
        assert over_socket(asked, **headers) == "refused"


def test_one_foreign_origin_beside_the_own_one_is_refused():
    headers = [("Origin", OWN), ("Origin", FOREIGN)]
    assert client().get("/api/thing", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("method", "told", "status"),
    [
        ("GET", ("cross-site", "navigate", "document"), 200),
        ("GET", ("cross-site", "navigate", "iframe"), 403),
        ("GET", ("same-site", "navigate", "iframe"), 403),  # a page of another port
        ("GET", ("cross-site", "no-cors", "image"), 403),
        ("GET", ("same-site", "no-cors", "script"), 403),
        ("POST", ("cross-site", "navigate", "document"), 403),
    ],
    ids=["link", "frame", "frame of another port", "picture", "script", "form"],
)
def test_without_origin_the_browsers_word_decides_and_only_a_link_may_be_followed(
    method, told, status
):
    headers = dict(zip(BROWSER, told, strict=True))
    assert client().request(method, "/api/thing", headers=headers).status_code == status


def test_without_the_password_nothing_is_said_but_that_the_server_is_there():
    asked = client(PASSWORD)
    refused = asked.get("/api/thing")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic ")  # so that a browser asks
    assert over_socket(asked) == "refused"
    assert asked.get("/health").text == "done"
    assert asked.get("/health/more").status_code == 401
    assert asked.get("/health", headers={"Host": "elsewhere.example"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        basic("me:wrong"),
        basic("you:s3:cret"),
        basic("me:"),
        basic(""),
        basic("mé:s3:cret"),
        basic(PASSWORD + "\n"),
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic"},
        {"Authorization": f"Basic {PASSWORD}"},
        {"Authorization": basic(PASSWORD)["Authorization"].replace("Basic", "Bearer")},
    ],
)
def test_a_wrong_password_is_refused(headers):
    assert client(PASSWORD).get("/api/thing", headers=headers).status_code == 401


def test_with_the_password_everything_works():
    asked = client(PASSWORD)
    assert asked.put("/api/thing", headers={"Origin": OWN, **basic(PASSWORD)}).text == "done"
    assert over_socket(asked, Origin=OWN, **basic(PASSWORD)) == "done"


def test_a_variable_adds_names_under_which_a_proxy_or_a_tunnel_reaches_the_server(monkeypatch):
    monkeypatch.setenv(HOSTS, "Prefect.example, localhost:14200")
    for host in ("prefect.example", "localhost:14200"):
        headers = {"Host": host, "Origin": f"https://{host}"}
        assert client().get("/api/thing", headers=headers).text == "done"
    assert client().get("/", headers={"Host": "prefect.example:80"}).status_code == 403
    assert "https://prefect.example" in origins(hosts(PORT)).split(",")


def test_a_port_that_is_taken_or_does_not_exist_is_refused_with_the_option_that_changes_it():
    with listen(0, "Prefect", "--prefect-port") as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} for Prefect cannot be used") as caught:
            listen(port, "Prefect", "--prefect-port")
    assert "--prefect-port" in caught.value.remedy
    with pytest.raises(ServiceError, match="port 99999 for MLflow cannot be used"):
        listen(99999, "MLflow", "--mlflow-port")
