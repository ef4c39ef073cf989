"""Every setting of the workbench, read from the environment (prefix `VIVA_`) and from `.env`.

A field's description is its documentation: `.env.example` is held equal to it by a test.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one server process."""

    # an empty value is an unset one: a line of `.env.example` may be taken as it stands
    model_config = SettingsConfigDict(
        env_prefix="VIVA_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    # serving
    host: str = Field("127.0.0.1", description="Address the server listens on; 0.0.0.0 for every interface.")
    port: int = Field(7860, ge=0, le=65535, description="Port of page, socket and HTTP API; 0 picks a free one.")
    root_path: str = Field("", description="URL prefix a reverse proxy serves the workbench under, e.g. /viva.")
    share: bool = Field(False, description="Open a public Gradio share link.")
    profile: Literal["cpu", "gpu"] = Field("cpu", description="Default engines: embedded on the CPU, or for a GPU.")
    username: str = Field(
        "educator", description="Login of the built-in administrator; `viva educators add` makes further accounts."
    )
    password: SecretStr | None = Field(
        None, description="Its password; without it and without accounts, /api answers on loopback only."
    )
    secret_key: SecretStr | None = Field(
        None, description="Key that signs tickets and resume tokens; made once and kept beside the data when unset."
    )
    allowed_origins: str = Field(
        "", description="Further web origins that may open the socket, comma-separated; the page's own always may."
    )
    max_sessions: int = Field(4, ge=1, description="Vivas held at once; the next candidate gets a queue position.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Verbosity of the log.")

    # where things are
    data_dir: Path = Field(Path("var"), description="Directory of the database, recordings and signing key.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the store; unset, an SQLite file in VIVA_DATA_DIR."
    )
    recordings_url: str | None = Field(
        None, description="Directory for recordings; unset, `recordings` in VIVA_DATA_DIR."
    )
    record_audio: bool = Field(True, description="Keep two-channel recordings of candidates who consented.")
    retention_days: int = Field(180, ge=1, description="Days after which a session is due for deletion.")
    banks_dir: Path | None = Field(None, description="Directory of further question banks, beside the built-in ones.")
    models_dir: Path = Field(
        Path(platformdirs.user_cache_dir("viva-workbench")) / "models",
        description="Cache of model weights that `viva models pull` fills.",
    )
    shared_dir: Path | None = Field(
        None, description="Directory with the optional `datasets` and `speech` corpora used by benches and tests."
    )
    mlflow_uri: str | None = Field(
        None, description="MLflow server with training runs and adapters; unset, an SQLite file in VIVA_DATA_DIR."
    )

    # engines
    vad: str = Field("silero", description="Voice activity detector.")
    asr: str = Field("faster-whisper", description="Recogniser: faster-whisper, openai-whisper or http.")
    asr_model: str = Field("tiny.en", description="Whisper size, path or hub id, or the model name of a server.")
    asr_url: str | None = Field(None, description="Base URL of a /v1/audio/transcriptions server.")
    asr_device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Device of a local recogniser.")
    llm: str = Field("smollm2", description="Language model: smollm2 (embedded) or http.")
    llm_model: str = Field("SmolLM2-135M-Instruct", description="Model or adapter name a chat server knows.")
    llm_url: str | None = Field(None, description="Base URL of a /v1/chat/completions server, e.g. vLLM.")
    judge: str = Field(
        "hybrid",
        description="Judge of the answers: keyword, embedding, hybrid, llm, panel, adapter:FOLDER for an adapter of "
        "viva-finetune, models:/viva-examiner@champion for the one promoted in MLflow, or served:NAME for one that "
        "`viva-finetune serve` has.",
    )
    judge_shadow: str | None = Field(
        None,
        description="Second judge that marks in the background, such as models:/viva-examiner@challenger; its marks "
        "count for nothing, and how far they agree goes to shadow.jsonl in VIVA_DATA_DIR.",
    )
    judge_llm: str | None = Field(
        None, description="Language model of the llm judge: smollm2 or http; unset, the one of VIVA_LLM."
    )
    judge_model: str | None = Field(
        None, description="Model or adapter that was trained to judge: its name on the server, or a path."
    )
    judge_url: str | None = Field(None, description="Base URL of its server; unset, that of VIVA_LLM_URL.")
    judge_precision: Literal["int8", "float32"] = Field(
        "int8", description="Arithmetic of an embedded judging model: float32 is exact, and three times as slow."
    )
    judge_calibrated: bool | None = Field(
        None, description="Take off how that model leans without an answer; unset, only without VIVA_JUDGE_MODEL."
    )
    tts: str = Field("piper", description="Voice: piper, http or vibevoice.")
    tts_model: str = Field("en_US-joe-medium", description="Piper voice or path, or the model name of a server.")
    tts_voice: str = Field("", description="Voice of a speech server; in-Samuel_man for VibeVoice when empty.")
    tts_url: str | None = Field(None, description="Base URL of a /v1/audio/speech or VibeVoice server.")
    api_key: SecretStr | None = Field(None, description="Bearer token sent to model servers.")
    engine_timeout_s: float = Field(10.0, gt=0, description="Longest wait for an engine's first result, seconds.")
    threads: int = Field(2, ge=1, description="CPU threads of each embedded model.")

    # the exam
    patience: Literal["brisk", "default", "patient"] = Field(
        "default", description="Silence after a finished sentence before the examiner replies: .25, .5 or .9 s."
    )
    question_time_s: float = Field(180.0, gt=0, description="Time for one question, probe included, seconds.")
    warning_before_s: float = Field(30.0, ge=0, description="Spoken warning this long before the time is up, seconds.")

    # delivery: each way out is off until it is set up
    public_url: str | None = Field(
        None, description="Where candidates reach the workbench, such as https://vivas.example.org, for links in mails."
    )
    mail_host: str | None = Field(None, description="SMTP server that mails reports; unset, nothing is mailed.")
    mail_port: int = Field(587, ge=1, le=65535, description="Its port: 587 for STARTTLS, 465 for TLS, 25 for neither.")
    mail_security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the line to it is secured.")
    mail_ca_file: Path | None = Field(None, description="Certificates to trust for it; unset, those of the system.")
    mail_username: str | None = Field(None, description="Login at the mail server; unset, none is used.")
    mail_password: SecretStr | None = Field(None, description="Password of that login.")
    mail_from: str = Field("", description="Sender of mails, such as Vivas <vivas@example.org>.")
    lti_token_url: str | None = Field(None, description="Access token URL of a learning platform (LTI 1.3).")
    lti_client_id: str | None = Field(None, description="Client id the platform gave this tool.")
    lti_audience: str | None = Field(None, description="Audience of the assertion; the token URL when unset.")
    lti_key_file: Path | None = Field(None, description="RSA key in PEM; `viva deliver keys` makes one.")
    lti_key_id: str = Field("viva-1", description="Id of that key in the key set the platform was given.")
    lti_line_items_url: str | None = Field(None, description="Line items URL of the course (AGS).")
    archive_url: str | None = Field(
        None, description="Where recordings and reports are copied: any fsspec URL, such as s3://bucket/vivas."
    )
    archive_options: SecretStr | None = Field(
        None, description='Options of that file system as JSON, such as {"key": "...", "secret": "..."}.'
    )
    archive_delete_local: bool = Field(
        False, description="Delete a recording here once its copy was checked; without, both are kept."
    )
    delivery_tries: int = Field(4, ge=1, le=10, description="Tries before a delivery is given up.")


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
