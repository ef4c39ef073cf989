"""Whisper on PyTorch (OpenAI's own code): tiny.en from the same weights as faster-whisper, large ones on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import memory
from workbench.engines.base import SAMPLE_RATE_HZ, EngineError, Samples, Word
from workbench.engines.whisper_decoding import FULL, LADDER, Padding, Recogniser
from workbench.engines.whisper_engine import WhisperEngine
from workbench.engines.whisper_guards import Hypothesis
from workbench.engines.whisper_weights import find_ctranslate2, to_openai
from workbench.engines.whisper_words import attach_punctuation, silence_probe, tame_long_words

if TYPE_CHECKING:
    from workbench.settings import Settings

NAME = "openai-whisper"

FRAMES_PER_S, STATES_PER_S = 100, 50


class TorchDecoder:
    """A `Decoder` on PyTorch; every call blocks.

    Args:
        model: A `whisper.model.Whisper`, on the device it is to run on.
    """

    def __init__(self, model: Any) -> None:
        import torch
        from whisper.tokenizer import get_tokenizer

        memory.keep_few_kernels()
        self._torch = torch
        self._model = model.eval()
        self.device = model.device.type
        self._dtype = next(model.parameters()).dtype
        many = model.is_multilingual
        self._tokenizer = get_tokenizer(
            many,
            num_languages=model.num_languages,
            language="en" if many else None,
            task="transcribe" if many else None,
        )
        t = self._tokenizer
        never = {*t.non_speech_tokens, t.sot, t.sot_prev, t.sot_lm, t.no_speech, t.transcribe, t.translate}
        self._never = torch.tensor(sorted(never), device=model.device)
        self._not_first = torch.tensor([*t.encode(" "), t.eot], device=model.device)
        self._silence: Any = None

    def encode(self, samples: Samples, padding: Padding) -> Any:
        """States of one window, see `Decoder`."""
        with self._torch.inference_mode():
            states = self._encode(samples, padding.encoded_s(len(samples) / SAMPLE_RATE_HZ))
            if not padding.tail_s or self.device != "cpu":
                return states
            if self._silence is None:
                self._silence = self._encode(silence_probe(), 30.0)
            n = states.shape[1]
            tail = self._silence[:, n : n + round(padding.tail_s * STATES_PER_S)]
            return self._torch.cat([states, tail], dim=1)

    def decode(self, states: Any, prompt: Sequence[int], limit: int) -> Hypothesis:
        """Greedy text, see `Decoder`."""
        torch, t = self._torch, self._tokenizer
        before = [t.sot_prev, *prompt] if prompt else []
        start = [*before, *t.sot_sequence, t.no_timestamps]
        limit = min(limit, self._model.dims.n_text_ctx - len(start))
        cache, hooks = self._model.install_kv_cache_hooks()
        tokens: list[int] = []
        total, no_speech_prob, ended = 0.0, 0.0, False
        try:
            with torch.inference_mode():
                step = torch.tensor([start], device=self._model.device)
                while len(tokens) < limit:
                    logits = self._model.decoder(step, states, kv_cache=cache)[0]
                    if not tokens:
                        no_speech_prob = float(logits[len(before)].softmax(-1)[t.no_speech])
                    last = logits[-1]
                    last[self._never] = -torch.inf
                    last[t.timestamp_begin :] = -torch.inf
                    if not tokens:
                        last[self._not_first] = -torch.inf
                    token = int(last.argmax())
                    total += float(last.log_softmax(-1)[token])
                    if token == t.eot:
                        ended = True
                        break
                    tokens.append(token)
                    step = torch.tensor([[token]], device=self._model.device)
        finally:
            for hook in hooks:
                hook.remove()
        return Hypothesis(
            text=t.decode(tokens).strip(),
            tokens=tuple(tokens),
            avg_logprob=total / (len(tokens) + 1),
            no_speech_prob=no_speech_prob,
            cut_off=not ended,
        )

    def align(self, states: Any, tokens: Sequence[int], audio_s: float) -> list[Word]:
        """Words with times from the cross-attention, see `Decoder`."""
        from whisper.timing import find_alignment

        n_frames = min(int(audio_s * FRAMES_PER_S) + 20, 2 * states.shape[1])
        timings = find_alignment(_Encoded(self._model), self._tokenizer, list(tokens), states[0], n_frames)
        words = [
            Word(one.word, min(float(one.start), audio_s), min(float(one.end), audio_s), float(one.probability))
            for one in timings
            if one.word.strip() and one.tokens != [self._tokenizer.eot]
        ]
        return tame_long_words(attach_punctuation(words))

    def prompt_tokens(self, text: str) -> list[int]:
        """Token ids of a text, see `Decoder`."""
        return list(self._tokenizer.encode(text))

    def _encode(self, samples: Samples, seconds: float) -> Any:
        """OpenAI's encoder for any length: its `forward` accepts 30 s alone, its layers do not mind."""
        from whisper.audio import log_mel_spectrogram

        torch, encoder = self._torch, self._model.encoder
        n_frames = round(seconds * FRAMES_PER_S) // 2 * 2
        audio = torch.from_numpy(np.ascontiguousarray(samples)).to(self._model.device)
        mel = log_mel_spectrogram(audio, self._model.dims.n_mels, padding=160)[:, :n_frames]
        mel = torch.nn.functional.pad(mel, (0, n_frames - mel.shape[1]))[None].to(self._dtype)
        x = torch.nn.functional.gelu(encoder.conv1(mel))
        x = torch.nn.functional.gelu(encoder.conv2(x)).permute(0, 2, 1)
        x = (x + encoder.positional_embedding[: x.shape[1]]).to(x.dtype)
        for block in encoder.blocks:
            x = block(x)
        return encoder.ln_post(x)


class _Encoded:
    """A model that takes states where OpenAI's alignment hands it a spectrogram, so that nothing is encoded twice."""

    def __init__(self, model: Any) -> None:
        self.dims, self.device, self.decoder = model.dims, model.device, model.decoder
        self.alignment_heads = model.alignment_heads

    def __call__(self, states: Any, tokens: Any) -> Any:
        return self.decoder(tokens, states)


def create(settings: Settings) -> WhisperEngine:
    """The recogniser `VIVA_ASR_MODEL` names.

    tiny.en and any directory of unquantised CTranslate2 weights are read in place; every other name (`large-v3-turbo`)
    or path of a .pt file goes to `whisper.load_model`, which downloads what it does not have.

    Raises:
        EngineError: The weights are not there.
        ImportError: PyTorch or openai-whisper is not installed.
    """
    import torch
    import whisper  # noqa: F401  here, so that the registry can say which extra is missing

    directory = find_ctranslate2(settings, NAME)

    def load() -> Recogniser:
        device = settings.asr_device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            torch.set_num_threads(settings.threads)
        try:
            model = _load_openai(settings) if directory is None else load_converted(directory)
        except Exception as error:  # readers, hubs and CUDA each raise their own
            raise EngineError(NAME, f"cannot load {settings.asr_model!r}: {error}") from error
        model = model.half().to(device) if device == "cuda" else model.float()
        return Recogniser(TorchDecoder(model), LADDER if device == "cpu" else (FULL,))

    return WhisperEngine(NAME, load)


def load_converted(model_dir: Path) -> Any:
    """OpenAI's `Whisper` module, float32, from a directory of CTranslate2 weights."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    dimensions, state, heads = to_openai(model_dir)
    model = Whisper(ModelDimensions(**dimensions))
    tensors = {name: torch.from_numpy(np.array(array, np.float32)) for name, array in state.items()}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    if unexpected or set(missing) - {"encoder.positional_embedding"}:
        raise ValueError(f"{model_dir}: tensors missing {sorted(missing)}, unexpected {sorted(unexpected)}")
    mask = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
    for layer, head in heads:
        mask[layer, head] = True
    model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)
    return model


def _load_openai(settings: Settings) -> Any:
    import whisper

    root = settings.models_dir / "openai-whisper"
    return whisper.load_model(str(Path(settings.asr_model).expanduser()), device="cpu", download_root=str(root))
