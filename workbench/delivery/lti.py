"""Scores to a learning platform: LTI Advantage Assignment and Grade Services 2.0 (1EdTech, IMS-AGS).

The tool proves who it is by a signed assertion (IMS Security Framework 1.0, section 4.1: OAuth 2.0 client credentials,
RFC 7523) and gets a token for the scopes it asks for. A score (AGS section 3.4) carries the moment the mark was made:
sending it again changes nothing, and a platform refuses one older than what it has.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx

from workbench.delivery.errors import DeliveryError, NotConfigured, Transient
from workbench.delivery.outbox import Outbox, key_of
from workbench.delivery.retrying import Sleep, tried
from workbench.settings import Settings
from workbench.store.repository import Store
from workbench.store.rows import ResultRow, SessionRow

SCOPE_LINE_ITEM = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
SCOPE_SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
LINE_ITEM = "application/vnd.ims.lis.v2.lineitem+json"
LINE_ITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
SCORE = "application/vnd.ims.lis.v1.score+json"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

ASSERTION_LIFE_S = 300
TIMEOUT_S = 20.0
MAX_PAGES = 50

_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)

Activity = Literal["Initialized", "Started", "InProgress", "Submitted", "Completed"]
Grading = Literal["FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"]


@dataclass(frozen=True)
class LineItem:
    """A column of the platform's gradebook; `id` is its address."""

    id: str
    label: str
    score_maximum: float
    resource_id: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Score:
    """A score as AGS section 3.4 has it.

    Attributes:
        user_id: The platform's id of the user.
        score_given: Points reached.
        score_maximum: Points possible.
        timestamp: When the mark was made; with a time zone.
        activity_progress: How far the user is.
        grading_progress: How far the marking is; platforms take a score for final at `FullyGraded` only.
        comment: Shown to the user; empty leaves it out.
    """

    user_id: str
    score_given: float
    score_maximum: float
    timestamp: datetime
    activity_progress: Activity = "Completed"
    grading_progress: Grading = "FullyGraded"
    comment: str = ""

    def body(self) -> dict[str, Any]:
        """The message.

        Raises:
            DeliveryError: A required value is missing or out of range.
        """
        if not self.user_id:
            raise DeliveryError("a score needs the platform's id of the user; import it with the candidates")
        if self.score_given < 0 or self.score_maximum <= 0:
            raise DeliveryError(f"a score of {self.score_given:g} out of {self.score_maximum:g} cannot be published")
        if self.timestamp.tzinfo is None:
            raise DeliveryError("a score's timestamp needs a time zone")
        body: dict[str, Any] = {
            "userId": self.user_id,
            "scoreGiven": self.score_given,
            "scoreMaximum": self.score_maximum,
            "timestamp": self.timestamp.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "activityProgress": self.activity_progress,
            "gradingProgress": self.grading_progress,
        }
        return {**body, "comment": self.comment} if self.comment else body


def is_configured(settings: Settings) -> bool:
    """Whether a platform is set up."""
    return bool(
        settings.lti_token_url and settings.lti_client_id and settings.lti_key_file and settings.lti_line_items_url
    )


class Platform:
    """A connection to one platform; keeps its token as long as it is good.

    Args:
        settings: Its addresses and this tool's key.
        transport: For tests that speak to a platform without a network.
        now: Seconds since 1970.
        sleep: Waits between tries.

    Raises:
        NotConfigured: No platform is set up.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        now: Any = time.time,
        sleep: Sleep = time.sleep,
    ) -> None:
        if not is_configured(settings):
            raise NotConfigured(
                "scores to a learning platform are off; set VIVA_LTI_TOKEN_URL, VIVA_LTI_CLIENT_ID, VIVA_LTI_KEY_FILE"
                " and VIVA_LTI_LINE_ITEMS_URL to turn them on"
            )
        self.settings = settings
        self._now = now
        self._sleep = sleep
        self._token: tuple[str, float] | None = None
        # no redirect is followed: the token is for this address
        self._http = httpx.Client(transport=transport, timeout=TIMEOUT_S, follow_redirects=False)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- what the platform offers ----

    def line_items(self, *, resource_id: str | None = None) -> list[LineItem]:
        """The line items this tool may see, page by page (AGS section 3.2.4).

        Raises:
            DeliveryError: The platform refused, or answered what is none.
        """
        found: list[LineItem] = []
        url = str(self.settings.lti_line_items_url)
        query = {"resource_id": resource_id} if resource_id else None
        for _ in range(MAX_PAGES):
            answer = self._call("GET", url, params=query, headers={"Accept": LINE_ITEMS})
            items = _json(answer)
            if not isinstance(items, list):
                raise DeliveryError(f"{_host(url)} answered no list of line items; see VIVA_LTI_LINE_ITEMS_URL")
            found += [_line_item(item, url) for item in items]
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                break
            url, query = _same_host(url, following.group(1)), None
        return [item for item in found if not resource_id or item.resource_id in ("", resource_id)]

    def create_line_item(self, label: str, score_maximum: float, *, resource_id: str = "", tag: str = "") -> LineItem:
        """Makes a column in the gradebook.

        Raises:
            DeliveryError: The platform refused.
        """
        body: dict[str, Any] = {"label": label, "scoreMaximum": score_maximum}
        body |= {name: value for name, value in (("resourceId", resource_id), ("tag", tag)) if value}
        url = str(self.settings.lti_line_items_url)
        headers = {"Content-Type": LINE_ITEM, "Accept": LINE_ITEM}
        return _line_item(_json(self._call("POST", url, json=body, headers=headers)), url)

    def line_item(self, label: str, score_maximum: float, *, resource_id: str) -> LineItem:
        """The column of a resource, made when there is none: asking twice makes one."""
        for item in self.line_items(resource_id=resource_id):
            if item.resource_id == resource_id:
                return item
        return self.create_line_item(label, score_maximum, resource_id=resource_id, tag="viva")

    def publish(self, line_item_url: str, score: Score) -> None:
        """Publishes a score (AGS section 3.4).

        Raises:
            DeliveryError: The platform refused it.
        """
        # the scores' address goes before the query (AGS section 3.4.1)
        parts = urlsplit(_same_host(str(self.settings.lti_line_items_url), line_item_url))
        url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/scores"))
        self._call("POST", url, json=score.body(), headers={"Content-Type": SCORE})

    # ---- requests ----

    def token(self) -> str:
        """An access token for line items and scores, asked for anew shortly before it ends."""
        if self._token is not None and self._now() < self._token[1]:
            return self._token[0]
        token, life_s = tried(self._ask_token, tries=self.settings.delivery_tries, sleep=self._sleep)
        self._token = (token, self._now() + max(0.0, life_s - 30))
        return token

    def _ask_token(self) -> tuple[str, float]:
        url = str(self.settings.lti_token_url)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion(self.settings, int(self._now())),
            "scope": f"{SCOPE_LINE_ITEM} {SCOPE_SCORE}",
        }
        answer = _sent(self._http, "POST", url, data=form)
        body = _json(answer)
        if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
            raise DeliveryError(f"{_host(url)} gave no access token; see VIVA_LTI_TOKEN_URL")
        granted = str(body.get("scope", f"{SCOPE_LINE_ITEM} {SCOPE_SCORE}")).split()
        if SCOPE_SCORE not in granted:
            raise DeliveryError(f"{_host(url)} does not let this tool publish scores; allow the scope {SCOPE_SCORE}")
        try:
            life_s = float(body.get("expires_in", 3600))
        except (TypeError, ValueError):
            life_s = 3600.0
        return body["access_token"], life_s

    def _call(self, method: str, url: str, *, headers: Mapping[str, str], **content: Any) -> httpx.Response:
        def call() -> httpx.Response:
            return _sent(self._http, method, url, headers={**headers, "Authorization": f"Bearer {token}"}, **content)

        token = self.token()
        return tried(call, tries=self.settings.delivery_tries, sleep=self._sleep)


def assertion(settings: Settings, now: int) -> str:
    """This tool's signed claim to be who it is (IMS Security Framework 1.0, section 4.1.1)."""
    import jwt

    try:
        key = settings.lti_key_file.read_text() if settings.lti_key_file else ""
        claims = {
            "iss": settings.lti_client_id,
            "sub": settings.lti_client_id,
            "aud": settings.lti_audience or settings.lti_token_url,
            "iat": now,
            "exp": now + ASSERTION_LIFE_S,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": settings.lti_key_id, "typ": "JWT"})
    except OSError as error:
        raise DeliveryError(
            f"VIVA_LTI_KEY_FILE cannot be read: {error.strerror}; make one: viva deliver keys"
        ) from None
    except (ValueError, TypeError, jwt.PyJWTError):
        raise DeliveryError("VIVA_LTI_KEY_FILE holds no RSA key in PEM; make one: viva deliver keys") from None


def public_keys(settings: Settings) -> dict[str, Any]:
    """The public half of this tool's key as a JSON Web Key Set, for the platform's registration page."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from jwt.algorithms import RSAAlgorithm

    if settings.lti_key_file is None:
        raise NotConfigured("there is no key; make one with `viva deliver keys` and set VIVA_LTI_KEY_FILE")
    try:
        key = load_pem_private_key(settings.lti_key_file.read_bytes(), None)
    except ValueError:
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise DeliveryError("VIVA_LTI_KEY_FILE holds no RSA key in PEM; make one: viva deliver keys")
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"keys": [{**public, "kid": settings.lti_key_id, "alg": "RS256", "use": "sig"}]}


def new_key() -> bytes:
    """A new RSA key of 2048 bits in PEM."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def publish_session(
    store: Store,
    platform: Platform,
    outbox: Outbox,
    session_id: str,
    *,
    user_id: str | None = None,
    actor: str = "system",
) -> str:
    """Publishes a session's score in the column of its area, unless this very score was published before.

    Args:
        store: Where the session is.
        platform: The learning platform.
        outbox: What was sent.
        session_id: The session.
        user_id: The platform's id of the user; the external id of the candidate whose link it was when left out.
        actor: Who asked for it, for the audit log.

    Returns:
        `sent`, or `sent before`.

    Raises:
        DeliveryError: The results are held back, nobody knows whose they are, or the platform refused them.
    """
    data = store.load_session(session_id)
    if data.result is None:
        raise DeliveryError(f"session {session_id} has no result yet")
    sitting = store.sitting(session_id)
    if sitting is not None and sitting.results_published_at is None:
        raise DeliveryError(f"the results of session {session_id} are not published; publish them first")
    if user_id is None and sitting is not None and sitting.candidate_id is not None:
        user_id = store.load_candidate(sitting.candidate_id).external_id
    if not user_id:
        raise DeliveryError(f"the platform's id of the user is not known for session {session_id}; give one")
    session, result = data.session, data.result
    made_at = max([result.created_at, *(mark.created_at for mark in data.marks)])
    score = Score(user_id, result.score, result.max_score, made_at)
    key = score_key(platform.settings, session, result, user_id)
    score.body()
    if outbox.begin(key, "lti", session_id, may_repeat=True) == "sent":
        return "sent before"
    try:
        title = f"Viva: {session.discipline}, {session.area or 'all areas'}"
        column = platform.line_item(title, result.max_score, resource_id=_resource(session))
        platform.publish(column.id, score)
    except DeliveryError as error:
        outbox.failed(key, str(error))
        raise
    outbox.sent(key)
    store.note(actor, "score.published", session_id)
    return "sent"


def score_key(settings: Settings, session: SessionRow, result: ResultRow, user_id: str) -> str:
    """The key under which the outbox knows a score: a result that was summed up anew is a new one."""
    made_at = result.created_at.isoformat()
    points = f"{result.score} of {result.max_score}"
    return key_of("lti", str(settings.lti_line_items_url), _resource(session), user_id, session.id, points, made_at)


def _resource(session: SessionRow) -> str:
    return f"viva-{session.discipline}-{session.area or 'all'}"


def send_test(settings: Settings, *, transport: httpx.BaseTransport | None = None, sleep: Sleep = time.sleep) -> str:
    """Logs in and lists the line items: everything but a score; returns a sentence that says how many.

    Raises:
        NotConfigured: No platform is set up.
        DeliveryError: The platform refused.
    """
    with Platform(settings, transport=transport, sleep=sleep) as platform:
        n_items = len(platform.line_items())
    host = _host(str(settings.lti_line_items_url))
    return f"{host} accepts this tool and shows it {n_items} line {'item' if n_items == 1 else 'items'}"


# ---- answers ----


def _sent(http: httpx.Client, method: str, url: str, **content: Any) -> httpx.Response:
    """One request; what it raises says whether another try makes sense."""
    try:
        answer = http.request(method, url, **content)
    except httpx.InvalidURL:
        raise DeliveryError("the platform's address is no URL; see the VIVA_LTI_ settings") from None
    except httpx.TransportError as error:
        raise Transient(f"{_host(url)} cannot be reached ({type(error).__name__})") from None
    status = answer.status_code
    if status == 429 or status >= 500:
        raise Transient(f"{_host(url)} is busy ({status})", wait_s=_retry_after_s(answer.headers.get("retry-after")))
    if status == 409:
        raise DeliveryError(f"{_host(url)} has a newer score already (409)")
    if not 200 <= status < 300:
        raise DeliveryError(f"{_host(url)} refused ({status}{_reason(answer)}); see the VIVA_LTI_ settings")
    return answer


def _reason(answer: httpx.Response) -> str:
    """The error code of an OAuth answer (RFC 6749, section 5.2): a word, never a text that may quote something."""
    try:
        code = answer.json().get("error")
    except (ValueError, AttributeError):
        return ""
    return f", {code}" if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else ""


def _retry_after_s(header: str | None) -> float | None:
    """Seconds to wait (RFC 9110, section 10.2.3): a number, or a date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise DeliveryError(f"{_host(str(answer.url))} answered no JSON; see the VIVA_LTI_ settings") from None


def _line_item(item: Any, url: str) -> LineItem:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise DeliveryError(f"{_host(url)} answered a line item without an id")
    try:
        most = float(item.get("scoreMaximum", 0))
    except (TypeError, ValueError):
        most = 0.0
    texts = (str(item.get(name) or "") for name in ("label", "resourceId", "tag"))
    label, resource_id, tag = texts
    return LineItem(item["id"], label, most, resource_id, tag)


def _same_host(url: str, other: str) -> str:
    """`other`, if it is where `url` is: the token goes nowhere else."""
    if urlsplit(other)[:2] != urlsplit(url)[:2]:
        raise DeliveryError(f"{_host(url)} points to another host ({_host(other)}); the token is not sent there")
    return other


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or "the platform"
