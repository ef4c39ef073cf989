"""The WebSocket at `/v1/realtime`: who may come in, what each event means, and what happens when a line breaks.

One reader task turns client events into calls on a `Conversation`, one writer task empties its outbox. A malformed
event is answered with an `error` that names the field, and the session goes on. A lost connection keeps its
conversation for `GRACE_S`; after that, and after a killed process, the store has what is needed to go on.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from workbench import memory, metrics
from workbench.exam import model as exam
from workbench.exam.items import Bank
from workbench.exam.state import ExamState
from workbench.realtime import protocol
from workbench.realtime.conversation import Conversation, draw_seed
from workbench.realtime.keeper import Keeper
from workbench.realtime.limits import RateLimit
from workbench.realtime.outbox import ClientTooSlow
from workbench.realtime.protocol import ProtocolError
from workbench.realtime.rooms import Room
from workbench.realtime.services import Services
from workbench.realtime.tickets import TicketError
from workbench.store import bank_snapshot
from workbench.store.errors import StoreError

log = logging.getLogger(__name__)

GRACE_S = 120.0
"""A lost connection's conversation is kept in memory, and its seat with it, for this long."""

HELLO_S = 30.0
"""A socket that has not said what it wants by then is closed."""

GRANTED = frozenset({"discipline", "area", "mode", "candidate", "seed", "patience", "extra_time", "speaking_rate"})
"""Options a ticket fixes, whatever its holder asks for."""

LOOPBACK = ("127.0.0.1", "::1", "testclient")
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013


class RealtimeServer:
    """Holds the conversations of one process."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.room = Room(services.settings.max_sessions)
        self.conversations: dict[str, Conversation] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._winding_up: set[str] = set()
        self._connected: dict[str, WebSocket] = {}

    def routes(self) -> list[BaseRoute]:
        """The route to mount on the application that serves the page."""
        return [WebSocketRoute("/v1/realtime", self.endpoint)]

    async def close(self) -> None:
        """Ends every conversation; each is saved and can be resumed."""
        for task in self._leaving.values():
            task.cancel()
        for conversation in list(self.conversations.values()):
            notice = protocol.VivaNotice(
                code="server_stopping",
                message="The server is stopping. Your viva is saved; come back to go on.",
            )
            conversation.outbox.put(notice.model_dump())
            await conversation.close()

    # ---- coming in ----

    def _origin_allowed(self, socket: WebSocket) -> bool:
        origin = socket.headers.get("origin")
        if origin is None:
            return True  # no browser
        own = {socket.headers.get("host"), socket.headers.get("x-forwarded-host")}
        if urlsplit(origin).netloc in own:
            return True
        allowed = {part.strip().rstrip("/") for part in self.services.settings.allowed_origins.split(",")}
        return origin.rstrip("/") in allowed - {""}

    def _needs_ticket(self, socket: WebSocket) -> bool:
        proxied = "x-forwarded-for" in socket.headers or "forwarded" in socket.headers
        local = socket.client is not None and socket.client.host in LOOPBACK
        return bool(self.services.settings.password) or proxied or not local

    def _bearer(self, socket: WebSocket) -> str | None:
        scheme, _, token = socket.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
        return socket.query_params.get("ticket")

    async def endpoint(self, socket: WebSocket) -> None:
        """One client, from handshake to goodbye."""
        if not self._origin_allowed(socket):
            await socket.close(POLICY_VIOLATION, "this web origin may not open the socket; see VIVA_ALLOWED_ORIGINS")
            return
        subprotocols = socket.scope.get("subprotocols") or []
        await socket.accept(subprotocol="realtime" if "realtime" in subprotocols else None)
        session = _Connection(self, socket)
        try:
            await session.run()
        except (WebSocketDisconnect, ClientTooSlow, ConnectionError) as error:
            log.info("a client is gone: %s", type(error).__name__)
        except Exception:
            log.exception("a connection failed")
            await _close_quietly(socket, 1011, "internal error; the viva is saved, reconnect to go on")
        finally:
            await session.leave()

    # ---- seats and resuming ----

    def keep_for_return(self, conversation: Conversation) -> None:
        """The client is gone; the conversation waits for it, then gives its seat up."""

        session_id = conversation.session_id

        async def wait() -> None:
            await asyncio.sleep(GRACE_S)
            self._winding_up.add(session_id)
            try:
                await conversation.keeper.abandon()
            except StoreError as error:
                log.warning("a viva nobody came back to is not marked so: %s", error)
            finally:
                await conversation.close()
                self._winding_up.discard(session_id)
                self._leaving.pop(session_id, None)

        self._leaving[session_id] = asyncio.create_task(wait(), name="grace")

    async def called_back(self, session_id: str) -> Conversation | None:
        """The conversation a client returns to, if it is still in memory; one that is being put away is waited for."""
        task = self._leaving.get(session_id)
        if task is not None and session_id in self._winding_up:
            await asyncio.wait([task])
        elif task is not None:
            del self._leaving[session_id]
            task.cancel()
        return self.conversations.get(session_id)

    def connected(self, session_id: str) -> bool:
        """Whether the candidate of a conversation is there."""
        return session_id in self._connected

    def forget(self, session_id: str) -> None:
        """A conversation has ended."""
        self.conversations.pop(session_id, None)
        self.room.leave(session_id)
        metrics.seats(self.room.seated, self.room.waiting)
        asyncio.get_running_loop().run_in_executor(None, memory.give_back)


class _Connection:
    """One socket and the conversation it leads to."""

    def __init__(self, server: RealtimeServer, socket: WebSocket) -> None:
        self.server = server
        self.services = server.services
        self.socket = socket
        self.conversation: Conversation | None = None
        self.writer: asyncio.Task[None] | None = None
        self.seating: asyncio.Task[None] | None = None
        self.config = protocol.SessionConfig()
        self.limit = RateLimit(self.services.clock)
        self.session_id = protocol.new_id("sess")
        self.ticket_ok = not server._needs_ticket(socket)
        self.grants: dict[str, Any] = {}
        self.started = False
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Reads until the client is gone."""
        bearer = self.server._bearer(self.socket)
        if bearer:
            try:
                self._use_ticket(bearer)
            except TicketError as error:
                await self._send_error(ProtocolError(str(error), param="Authorization", code="invalid_ticket"))
                await _close_quietly(self.socket, POLICY_VIOLATION, "invalid ticket")
                return
        await self._send({"type": "session.created", "event_id": protocol.new_id("evt"), "session": self._session()})
        while True:
            try:
                async with asyncio.timeout(None if self.started or self.seating else HELLO_S):
                    message = await self.socket.receive()
            except TimeoutError:
                await self._send_error(
                    ProtocolError(f"no session.update within {HELLO_S:.0f} s", param="(event)", code="no_hello")
                )
                await _close_quietly(self.socket, POLICY_VIOLATION, "no session.update in time")
                return
            if message["type"] == "websocket.disconnect":
                return
            try:
                self.limit.check(len(message.get("text") or message.get("bytes") or ""))
                if message.get("text") is None:
                    raise ProtocolError(
                        "binary frames are not taken; send JSON text frames with base64 audio",
                        param="(event)",
                        code="binary_frame",
                    )
                await self._dispatch(protocol.parse_client_event(message["text"]))
            except ProtocolError as error:
                metrics.protocol_error(error.code.partition(".")[0])
                await self._send_error(error)
            if self.limit.hopeless:
                await _close_quietly(self.socket, POLICY_VIOLATION, "too many events; slow down and reconnect")
                return

    async def leave(self) -> None:
        """The socket is gone: what it leads to is kept for its return."""
        for task in (self.seating, self.writer):
            if task is not None:
                task.cancel()
        conversation = self.conversation
        if conversation is None:
            self.server.room.leave(self.session_id)
            return
        if self.server._connected.get(self.session_id) is not self.socket:
            return  # the candidate is already back on another connection
        self.server._connected.pop(self.session_id, None)
        if conversation.closed:
            return
        try:
            await conversation.lose_client()
        except StoreError as error:
            log.warning("what was said last is not kept: %s", error)
        if conversation.examiner.reported:
            await conversation.close()
        else:
            self.server.keep_for_return(conversation)

    # ---- events ----

    async def _dispatch(self, event: Any) -> None:
        conversation = self.conversation
        if isinstance(event, protocol.SessionUpdate):
            await self._update(event)
            return
        if conversation is None:
            if isinstance(event, protocol.AppendAudio) and self.seating is not None:
                return  # in line for a seat: sound is not listened to yet
            if isinstance(event, protocol.AppendAudio | protocol.CreateResponse) and self.seating is None:
                self._check_ticket(None)
                self.seating = asyncio.create_task(self._seat(self._granted(protocol.VivaOptions()), None))
                return
            raise ProtocolError(
                "no viva has started; send session.update with a `viva` object first",
                param="type",
                code="not_started",
                event_id=event.event_id,
            )
        match event:
            case protocol.AppendAudio(audio=audio):
                conversation.hear(_decode(audio, event.event_id))
            case protocol.CommitAudio():
                await conversation.commit_turn()
            case protocol.ClearAudio():
                conversation.forget_turn()
                await self._emit("input_audio_buffer.cleared")
            case protocol.CreateItem(item=item):
                for part in item.content:
                    conversation.type_text(part.text)
                await self._emit("conversation.item.added", item=_item(item), previous_item_id=event.previous_item_id)
                await self._emit("conversation.item.done", item=_item(item), previous_item_id=event.previous_item_id)
            case protocol.CreateResponse():
                await conversation.respond()
            case protocol.CancelResponse():
                await conversation.cancel_response()
            case protocol.TruncateItem(item_id=item_id, audio_end_ms=audio_end_ms):
                await conversation.truncate(item_id, audio_end_ms)
            case protocol.Played(response_id=response_id, n_samples=n_samples, underruns=underruns):
                conversation.examiner.playout.report(response_id, n_samples, underruns)
            case protocol.VivaCommand(command=command):
                await conversation.happen(exam.Command(command, conversation.exam_clock.now()))
            case protocol.ChooseArea(area=area):
                keys = [entry.key for entry in conversation.examiner.bank.areas]
                if area not in keys:
                    raise ProtocolError(
                        f"no area {area!r}; allowed: {', '.join(keys)}",
                        param="area",
                        code="unknown_area",
                        event_id=event.event_id,
                    )
                fixed = conversation.options.area if conversation.keeper.invited else None
                if fixed not in (None, area):
                    raise ProtocolError(
                        f"your link is for {fixed!r}; the area cannot be changed",
                        param="area",
                        code="area_fixed",
                        event_id=event.event_id,
                    )
                await conversation.happen(exam.AreaChosen(area, conversation.exam_clock.now()))
            case protocol.Consent(given=given):
                await conversation.happen(exam.ConsentGiven(given, conversation.exam_clock.now()))

    async def _update(self, event: protocol.SessionUpdate) -> None:
        new = event.session
        if self.conversation is not None or self.seating is not None:
            if "audio" in new.model_fields_set and new.audio != self.config.audio:
                raise ProtocolError(
                    "the audio format cannot change during a viva",
                    param="session.audio",
                    code="already_started",
                    event_id=event.event_id,
                )
            if new.viva is not None:
                raise ProtocolError(
                    "a viva is under way; open another connection for another one",
                    param="session.viva",
                    code="already_started",
                    event_id=event.event_id,
                )
            await self._emit("session.updated", session=self._session())
            return
        resume: str | None = None
        if new.viva is not None and new.viva.resume is not None:
            resume = self._open_resume(new.viva.resume, event.event_id)
        elif new.viva is not None:
            self._check_ticket(new.viva.ticket)
            granted = self._granted(new.viva)
            if "invitation" not in self.grants:  # a link may pin questions that are not today's
                self.services.bank(granted)
            new = new.model_copy(update={"viva": granted})
        self.config = new
        await self._emit("session.updated", session=self._session())
        if new.viva is None:
            return
        self.seating = asyncio.create_task(self._seat(new.viva, resume), name="seat")

    def _open_resume(self, token: str, event_id: str | None) -> str:
        """Id of the session a token opens; it stands in for a ticket, which its first connection has used up."""
        try:
            session_id = self.services.tickets.open_resume(token)
        except TicketError as error:
            raise ProtocolError(
                str(error), param="session.viva.resume", code="invalid_resume_token", event_id=event_id
            ) from None
        self.ticket_ok = True
        return session_id

    def _use_ticket(self, ticket: str) -> None:
        """Uses a ticket up and takes what it grants.

        Where none is needed, what is no ticket of ours (a stock client sends its API key) and one that was used before
        pass unseen; not so one that came from a link, whose viva must not go on without what the link says.

        Raises:
            TicketError: Forged, expired or already used.
        """
        try:
            self.grants = self.services.tickets.use_ticket(ticket)
        except TicketError:
            if not self.ticket_ok or self.services.tickets.is_invitation(ticket):
                raise
        self.ticket_ok = True

    def _granted(self, options: protocol.VivaOptions) -> protocol.VivaOptions:
        """What was asked for, with what the ticket says in its place."""
        fixed = {name: value for name, value in self.grants.items() if name in GRANTED}
        return options.model_copy(update=fixed)

    def _check_ticket(self, ticket: str | None) -> None:
        if ticket is None and self.ticket_ok:
            return
        if ticket is None:
            raise ProtocolError(
                "a ticket is needed: open the page, or send one as `Authorization: Bearer` or session.viva.ticket",
                param="session.viva.ticket",
                code="ticket_needed",
            )
        if self.grants:
            return  # the handshake's ticket counts
        try:
            self._use_ticket(ticket)
        except TicketError as error:
            raise ProtocolError(str(error), param="session.viva.ticket", code="invalid_ticket") from None

    async def _seat(self, options: protocol.VivaOptions, resume: str | None) -> None:
        """Waits for a seat, then begins or goes on."""
        try:
            if resume is not None:
                self.session_id = resume
            found = await self.server.called_back(self.session_id)
            if found is None:
                await self.server.room.take_seat(self.session_id, self._tell_position)
                conversation = await (self._new(options) if resume is None else self._from_store(resume, options))
                self.server.conversations[self.session_id] = conversation
            else:
                conversation = found
                await self._take_over(found)
            metrics.seats(self.server.room.seated, self.server.room.waiting)
            self.server._connected[self.session_id] = self.socket
            self.conversation = conversation
            self.started = True
            conversation.outbox.attach()
            self.writer = asyncio.create_task(self._write(conversation), name="writer")
            if found is None:
                await conversation.begin()
            else:
                await found.come_back(
                    playback=options.playback,
                    in_hz=self.config.audio.input.format.rate,
                    out_hz=self.config.audio.output.format.rate,
                )
        except ProtocolError as error:
            self.server.room.leave(self.session_id)
            self.seating = None
            await self._send_error(error)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a viva could not start")
            self.server.room.leave(self.session_id)
            await _close_quietly(self.socket, 1011, "the viva could not start; see the server's log")

    async def _take_over(self, conversation: Conversation) -> None:
        old = self.server._connected.pop(self.session_id, None)
        if old is not None and old is not self.socket:
            await conversation.lose_client()
            await _close_quietly(old, POLICY_VIOLATION, "the viva goes on in another window")

    async def _write(self, conversation: Conversation) -> None:
        try:
            await conversation.outbox.run(self.socket.send_text)
        except ClientTooSlow:
            await _close_quietly(self.socket, TRY_AGAIN_LATER, "too far behind; reconnect to go on")
        except (WebSocketDisconnect, RuntimeError):
            pass  # the reader sees the same end

    async def _new(self, options: protocol.VivaOptions) -> Conversation:
        invitation_id = self.grants.get("invitation")
        bank = await self._bank(options, invitation_id)
        seed = options.seed if options.seed is not None else draw_seed()
        keeper = await Keeper.create(self.services, self.session_id, options, seed, bank, invitation_id=invitation_id)
        return self._conversation(options, keeper, bank, seed)

    async def _bank(self, options: protocol.VivaOptions, invitation_id: int | None) -> Bank:
        """The questions a link pins, else today's."""
        if invitation_id is not None:
            pinned = await self.services.store_thread.run(lambda _: self.services.store.invitation_bank(invitation_id))
            if pinned is not None:
                return bank_snapshot.from_text(pinned)
        return self.services.bank(options)

    async def _from_store(self, session_id: str, options: protocol.VivaOptions) -> Conversation:
        keeper, saved, state_json, elapsed_s = await Keeper.reopen(self.services, session_id)
        merged = saved.model_copy(update={"playback": options.playback, "resume": options.resume})
        bank = keeper.bank or self.services.bank(merged)
        state = ExamState.from_json(state_json)
        return self._conversation(merged, keeper, bank, state.setup.seed, state=state, elapsed_s=elapsed_s)

    def _conversation(
        self, options: protocol.VivaOptions, keeper: Keeper, bank: Any, seed: int, **more: Any
    ) -> Conversation:
        session_id = self.session_id
        return Conversation(
            self.services,
            options,
            session_id=session_id,
            resume_token=self.services.tickets.mint_resume(session_id),
            keeper=keeper,
            bank=bank,
            seed=seed,
            in_hz=self.config.audio.input.format.rate,
            out_hz=self.config.audio.output.format.rate,
            instructions=self.config.instructions,
            on_closed=lambda: self.server.forget(session_id),
            **more,
        )

    # ---- telling ----

    def _tell_position(self, position: int) -> None:
        event = protocol.VivaQueue(position=position, capacity=self.server.room.capacity).model_dump()
        metrics.seats(self.server.room.seated, self.server.room.waiting)
        asyncio.get_running_loop().create_task(self._send(event))

    def _session(self) -> dict[str, Any]:
        audio = self.config.audio.model_dump()
        return {
            "id": self.session_id,
            "object": "realtime.session",
            "type": "realtime",
            "model": "viva",
            "output_modalities": ["audio"],
            "audio": audio,
            "viva": self.config.viva.model_dump(exclude={"ticket", "resume"}) if self.config.viva else None,
        }

    async def _emit(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": protocol.new_id("evt"), **fields}
        if self.conversation is not None:
            self.conversation.outbox.put(event)
        else:
            await self._send(event)

    async def _send_error(self, error: ProtocolError) -> None:
        if self.conversation is not None:
            self.conversation.outbox.put(error.as_event())
        else:
            await self._send(error.as_event())

    async def _send(self, event: dict[str, Any]) -> None:
        async with self._lock:
            await self.socket.send_json(event)


def _item(message: protocol.UserMessage) -> dict[str, Any]:
    return {
        "id": message.id or protocol.new_id("item"),
        "object": "realtime.item",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [part.model_dump() for part in message.content],
    }


def _decode(audio: str, event_id: str | None) -> bytes:
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise ProtocolError(
            "audio is no base64; send base64 of mono PCM16, little-endian",
            param="audio",
            code="invalid_base64",
            event_id=event_id,
        ) from None


async def _close_quietly(socket: WebSocket, code: int, reason: str) -> None:
    try:
        await socket.close(code, reason)
    except (RuntimeError, WebSocketDisconnect, ConnectionError):
        pass
