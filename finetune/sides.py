"""An encoder's head that compares: the mean of the answer's states beside the mean of the reference's.

Sentence encoders were trained to put the meaning into that mean and nothing into the first token, so that a head on it
compares from the first step on (Reimers and Gurevych 2019, arXiv:1908.10084; the features are those of Conneau et al.
2017, arXiv:1705.02364). Both sides are read together: each state has seen the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from finetune.adapter_folder import ALL_WEIGHTS


@dataclass(frozen=True)
class Scored:
    """What the model gives: `logits`, (n_rows, n_outcomes)."""

    logits: torch.Tensor


class SidesClassifier(nn.Module):
    """An encoder with that head.

    Args:
        encoder: A Hugging Face encoder.
        separator_id: Token that ends a side.
        n_outcomes: Outputs.
        dropout: Part of the head's inputs dropped in training.
    """

    is_gradient_checkpointing = False

    def __init__(self, encoder: Any, separator_id: int, n_outcomes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = encoder.config
        self.config.num_labels = n_outcomes
        self._separator_id = separator_id
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(4 * self.config.hidden_size, n_outcomes)

    def save_pretrained(self, folder: str) -> None:
        """Writes every weight, the encoder's and the head's: for no adapter but all of it was trained."""
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, Path(folder) / ALL_WEIGHTS)

    def load_trained(self, folder: Path) -> None:
        """Takes the weights that `save_pretrained` wrote."""
        self.load_state_dict(load_file(folder / ALL_WEIGHTS))

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
        **unused: Any,
    ) -> Scored:
        """Scores pairs, (n_rows, n_tokens) ids and mask; the first side is that before the first separator."""
        more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **more).last_hidden_state.float()
        ends = (input_ids == self._separator_id) & attention_mask.bool()
        place = ends.cumsum(dim=1) - ends.long()
        inside = attention_mask.bool() & ~ends
        inside[:, 0] = False  # the token that begins the row belongs to neither side
        right, said = (_mean(states, inside & side) for side in (place == 0, place > 0))
        pair = torch.cat([right, said, (right - said).abs(), right * said], dim=1)
        return Scored(self.classifier(self.dropout(pair)))


def _mean(states: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """(n_rows, n_dimensions) means of the chosen states, of length sqrt(n_dimensions), so that a value is about 1."""
    weights = chosen[..., None].to(states.dtype)
    mean = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    return nn.functional.normalize(mean, dim=1) * states.shape[-1] ** 0.5
