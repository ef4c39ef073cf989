"""Every event of `/v1/realtime`: the OpenAI Realtime ones a stock client speaks, and the `viva.*` ones this adds.

One file is the single source of truth: the server parses with it, the documentation and the JSON schema are made from
it (`viva events`), and the page and the simulated candidates are written against it. Audio is base64 mono PCM16,
little-endian, 24 kHz unless the session asks for 16 kHz.

How a reply reaches a client:

    response.created > response.output_item.added > response.content_part.added
    > (response.output_audio_transcript.delta | response.output_audio.delta)*
    > response.output_audio.done > response.output_audio_transcript.done > response.content_part.done
    > response.output_item.done > response.done

A client that declares `viva.playback = true` in its `session.update` reports what it has played with `viva.played`
and obeys `viva.playback`: on the onset of speech it is told to `pause`, then either to `resume` (a cough) or to `clear`
(words: the response is also `cancelled`). A client that does not is never paused: it hears
`input_audio_buffer.speech_started` once words are confirmed, as the stock API has it, and the clock of what was sent
stands in for what was played.
"""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from workbench.exam.model import CommandName, Mode, Phase, Verdict

MAX_EVENT_BYTES = 512 * 1024
"""Largest client event; the base64 of about eight seconds of 24 kHz audio."""


def new_id(prefix: str) -> str:
    """A fresh identifier such as `evt_1f0c...` (96 random bits)."""
    return f"{prefix}_{secrets.token_hex(12)}"


# ---- what a session is made with ----


class _Open(BaseModel):
    """Fields of the stock API the workbench has no use for are taken and left alone."""

    model_config = ConfigDict(extra="ignore")


class _Closed(BaseModel):
    """A field we do not know is a mistake of the sender's, and is named in the error."""

    model_config = ConfigDict(extra="forbid")


class AudioFormat(_Open):
    """Format of one direction."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[16000, 24000] = 24000


class AudioInput(_Open):
    """The candidate's sound."""

    format: AudioFormat = AudioFormat()


class AudioOutput(_Open):
    """The examiner's sound."""

    format: AudioFormat = AudioFormat()


class SessionAudio(_Open):
    """Both directions."""

    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class VivaOptions(_Closed):
    """The exam, chosen in the first `session.update`; the examiner speaks when it arrives."""

    discipline: str = Field("medical", max_length=60, description="Key of the discipline.")
    area: str | None = Field(None, max_length=60, description="Key of the area; null lets the candidate choose.")
    candidate: str | None = Field(None, max_length=80, description="Name; null makes the examiner ask.")
    consent: bool = Field(False, description="Consent to the viva already given by a click.")
    record: bool = Field(True, description="Consent to keep the audio.")
    mode: Mode = Field("practice", description="practice: feedback at once; exam: at the end; talk: free conversation.")
    seed: int | None = Field(None, ge=0, le=2**53 - 1, description="Seed of the exam's choices; null draws one.")
    patience: Literal["brisk", "default", "patient"] | None = Field(
        None, description="Silence before a reply: .25, .5 or .9 s after a finished sentence; null takes the server's."
    )
    extra_time: float = Field(1.0, ge=1, le=4, description="Accommodation factor on pauses and time limits.")
    speaking_rate: float = Field(1.0, ge=0.5, le=1.5, description="Rate of the examiner's voice.")
    playback: bool = Field(False, description="The client reports `viva.played` and obeys `viva.playback`.")
    ticket: str | None = Field(None, max_length=2000, description="One-time ticket minted by the page.")
    resume: str | None = Field(None, max_length=2000, description="Resume token of a session to go on with.")


class SessionConfig(_Open):
    """The part of the stock session object the workbench reads, plus `viva`."""

    type: Literal["realtime"] = "realtime"
    audio: SessionAudio = SessionAudio()
    instructions: str | None = Field(None, max_length=4000, description="Taken in `talk` mode only.")
    viva: VivaOptions | None = None


# ---- client events ----


class _ClientEvent(_Open):
    event_id: str | None = Field(None, max_length=200)


class SessionUpdate(_ClientEvent):
    """Sets the session up; the first one with a `viva` object (or the first audio) starts the exam."""

    type: Literal["session.update"]
    session: SessionConfig


class AppendAudio(_ClientEvent):
    """More of the candidate's sound, in real time; 20 to 100 ms an event is usual."""

    type: Literal["input_audio_buffer.append"]
    audio: str = Field(max_length=MAX_EVENT_BYTES)


class CommitAudio(_ClientEvent):
    """Ends the candidate's turn now, without waiting for the end-of-turn silence."""

    type: Literal["input_audio_buffer.commit"]


class ClearAudio(_ClientEvent):
    """Forgets what the candidate said in this turn."""

    type: Literal["input_audio_buffer.clear"]


class ContentPart(_Open):
    """Typed text."""

    type: Literal["input_text"]
    text: str = Field(max_length=8000)


class UserMessage(_Open):
    """A typed answer."""

    type: Literal["message"]
    role: Literal["user"]
    content: list[ContentPart] = Field(min_length=1, max_length=8)
    id: str | None = Field(None, max_length=200)


class CreateItem(_ClientEvent):
    """A typed answer; it counts as said once `response.create` follows."""

    type: Literal["conversation.item.create"]
    item: UserMessage
    previous_item_id: str | None = None


class TruncateItem(_ClientEvent):
    """How much of an examiner's item was heard, as a stock client reports it after an interruption."""

    type: Literal["conversation.item.truncate"]
    item_id: str = Field(max_length=200)
    content_index: int = Field(0, ge=0, le=0)
    audio_end_ms: int = Field(ge=0)


class CreateResponse(_ClientEvent):
    """Asks the examiner to reply to what was typed (or to start)."""

    type: Literal["response.create"]


class CancelResponse(_ClientEvent):
    """Stops the examiner."""

    type: Literal["response.cancel"]
    response_id: str | None = Field(None, max_length=200)


class Played(_ClientEvent):
    """Samples of one response heard so far, at the session's output rate; about five a second while playing."""

    type: Literal["viva.played"]
    response_id: str = Field(max_length=200)
    n_samples: int = Field(ge=0)
    underruns: int = Field(0, ge=0, description="Times the client ran out of sound inside this response.")


class VivaCommand(_ClientEvent):
    """A button of the page."""

    type: Literal["viva.command"]
    command: CommandName


class ChooseArea(_ClientEvent):
    """A click on an area."""

    type: Literal["viva.area"]
    area: str = Field(max_length=60)


class Consent(_ClientEvent):
    """A click on the consent form."""

    type: Literal["viva.consent"]
    given: bool


ClientEvent = Annotated[
    SessionUpdate
    | AppendAudio
    | CommitAudio
    | ClearAudio
    | CreateItem
    | TruncateItem
    | CreateResponse
    | CancelResponse
    | Played
    | VivaCommand
    | ChooseArea
    | Consent,
    Field(discriminator="type"),
]

CLIENT_EVENTS: TypeAdapter[Any] = TypeAdapter(ClientEvent)
CLIENT_EVENT_MODELS: tuple[type[_ClientEvent], ...] = get_args(get_args(ClientEvent)[0])
CLIENT_EVENT_TYPES: tuple[str, ...] = tuple(
    get_args(model.model_fields["type"].annotation)[0] for model in CLIENT_EVENT_MODELS
)


# ---- server events ----
# The stock events follow the public API; these are the ones the workbench adds.


class _ServerEvent(BaseModel):
    event_id: str = Field(default_factory=lambda: new_id("evt"))


class VivaState(_ServerEvent):
    """Where the exam stands and who has the floor; sent at every change."""

    type: Literal["viva.state"] = "viva.state"
    session_id: str
    resume_token: str
    phase: Phase
    floor: Literal["examiner", "candidate", "thinking", "paused", "closed"]
    mode: Mode
    discipline: str
    area: str | None
    candidate: str | None
    number: int = Field(description="Question being asked, 1 to total; 0 before the first.")
    total: int
    elapsed_s: float = Field(description="Exam time, pauses left out.")
    deadline_s: float | None = Field(description="Exam time at which the question's time is up.")
    recording: bool


class VivaAreas(_ServerEvent):
    """Areas the candidate may choose from, by voice or click."""

    type: Literal["viva.areas"] = "viva.areas"
    areas: list[dict[str, str]] = Field(description="Objects with `key` and `title`.")


class VivaConsentAsked(_ServerEvent):
    """The examiner asks for consent; answer by voice or with `viva.consent`."""

    type: Literal["viva.consent_asked"] = "viva.consent_asked"


class VivaQuestion(_ServerEvent):
    """A question is being asked."""

    type: Literal["viva.question"] = "viva.question"
    number: int
    total: int
    question_id: str
    scenario_title: str
    scenario: str
    stem: str
    deadline_s: float


class VivaKeyPoint(BaseModel):
    """One key point of a verdict."""

    text: str
    status: Literal["covered", "contradicted", "missing"]
    quote: str


class VivaVerdict(_ServerEvent):
    """An answer's mark; at once in `practice`, after the last question in `exam`.

    `judge` is `an examiner`, and `confidence` 1, where a person gave it while the candidate was away.
    """

    type: Literal["viva.verdict"] = "viva.verdict"
    number: int
    question_id: str
    verdict: Verdict
    points: float
    confidence: float
    judge: str
    key_points: list[VivaKeyPoint]
    answer: str
    model_answer: str


class VivaReport(_ServerEvent):
    """The exam is over and its report can be read, unless it is held until an educator publishes it."""

    type: Literal["viva.report"] = "viva.report"
    session_id: str
    completed: bool
    score: float
    max_score: float
    url: str = Field(description="Relative URL of the report's page; `.json` and `.csv` beside it.")
    held: bool = Field(False, description="The results are not published yet: score is 0, the URL opens them later.")


class VivaPlayback(_ServerEvent):
    """What a client that declared `playback` does with the sound it holds."""

    type: Literal["viva.playback"] = "viva.playback"
    action: Literal["pause", "resume", "clear"]
    response_id: str | None


class VivaCaption(_ServerEvent):
    """When each word of a response is heard: sample offsets at the output rate, from the response's first sample."""

    type: Literal["viva.caption"] = "viva.caption"
    response_id: str
    text: str
    start_sample: int
    end_sample: int
    kind: str = Field(description="The line's kind: question, feedback, acknowledge, ...")


class VivaQueue(_ServerEvent):
    """The room is full: place in the queue, 1 is next."""

    type: Literal["viva.queue"] = "viva.queue"
    position: int
    capacity: int


class VivaLatency(_ServerEvent):
    """Where the time of one turn went, milliseconds from the last voiced sample received."""

    type: Literal["viva.latency"] = "viva.latency"
    turn: int
    mode: Mode
    patience_ms: float = Field(description="Silence the end-of-turn rule asked for.")
    endpoint_ms: float = Field(description="When the turn was declared over.")
    asr_ms: float = Field(description="When the final words were known.")
    judge_ms: float | None
    llm_first_ms: float | None = Field(description="First piece of the model's reply.")
    llm_sentence_ms: float | None = Field(description="First speakable piece.")
    tts_first_ms: float = Field(description="First chunk of sound.")
    sent_ms: float = Field(description="First audible sample handed to the socket.")
    first_kind: str = Field(description="Kind of the first line spoken.")
    made_for_answer: bool = Field(description="Whether that line was made for this answer (no canned filler).")


class VivaNotice(_ServerEvent):
    """Something the candidate should know: an engine was slow, the microphone is silent, the time is nearly up."""

    type: Literal["viva.notice"] = "viva.notice"
    code: Literal["engine_slow", "engine_failed", "no_sound", "time_warning", "wording_fallback", "server_stopping"]
    message: str


VIVA_EVENT_MODELS: tuple[type[_ServerEvent], ...] = (
    VivaState, VivaAreas, VivaConsentAsked, VivaQuestion, VivaVerdict, VivaReport, VivaPlayback, VivaCaption,
    VivaQueue, VivaLatency, VivaNotice,
)  # fmt: skip

STOCK_SERVER_EVENT_TYPES: tuple[str, ...] = (
    "session.created",
    "session.updated",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.truncated",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
    "error",
)


# ---- errors ----


class ProtocolError(ValueError):
    """A client event the server cannot act on.

    Attributes:
        param: Path of the offending field, such as `session.viva.mode`.
        code: Machine-readable reason.
        event_id: Id the client gave its event, if it could be read.
    """

    def __init__(self, message: str, *, param: str, code: str, event_id: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.event_id = event_id

    def as_event(self) -> dict[str, Any]:
        """The `error` event that answers the mistake."""
        return {
            "event_id": new_id("evt"),
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "code": self.code,
                "message": str(self),
                "param": self.param,
                "event_id": self.event_id,
            },
        }


def parse_client_event(text: str | bytes) -> Any:
    """One client event from its JSON text.

    Raises:
        ProtocolError: The text is too large, no JSON object, of an unknown type, or a field is missing or out of
            range; the error names the field and what is allowed.
    """
    if len(text) > MAX_EVENT_BYTES:
        raise ProtocolError(
            f"the event has {len(text)} bytes, at most {MAX_EVENT_BYTES} are taken; send audio in smaller pieces",
            param="(event)",
            code="event_too_large",
        )
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the event is no JSON: {error}", param="(event)", code="invalid_json") from None
    if not isinstance(raw, dict):
        raise ProtocolError(
            f"the event is a JSON {type(raw).__name__}, an object is needed", param="(event)", code="invalid_json"
        )
    event_id = raw.get("event_id") if isinstance(raw.get("event_id"), str) else None
    kind = raw.get("type")
    if kind not in CLIENT_EVENT_TYPES:
        raise ProtocolError(
            f"unknown event type {str(kind)[:80]!r}; allowed: {', '.join(CLIENT_EVENT_TYPES)}",
            param="type",
            code="unknown_event_type",
            event_id=event_id,
        )
    try:
        return CLIENT_EVENTS.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"] if part not in CLIENT_EVENT_TYPES) or "(event)"
        raise ProtocolError(
            f"{path}: {first['msg']}", param=path, code=f"invalid_value.{first['type']}", event_id=event_id
        ) from None
    except RecursionError:
        raise ProtocolError("the event is nested too deeply", param="(event)", code="invalid_json") from None
