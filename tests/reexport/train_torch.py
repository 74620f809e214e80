"""Trains a two-layer model on exported tokens for 50 steps and prints its losses as JSON. It runs where torch is installed.

    python train_torch.py FILE VOCABULARY

FILE: the ids of `.ds` (16 bits each), of Megatron's `.bin` (16 bits each), or of packed rows, an `.npz` with `ids` and `mask`. Attention
looks back, and within one document where a mask tells documents apart; what pads a row is not predicted.
"""

import json
import sys

import numpy as np
import torch
from torch import nn

LENGTH, BATCH, STEPS, WIDTH, HEADS = 128, 16, 50, 128, 4


class Model(nn.Module):
    """A language model of two layers."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.tokens, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.layers, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(WIDTH, vocabulary)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the scores of the next token at each place."""
        later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
        hidden = later | (mask[:, :, None] != mask[:, None, :])
        found = self.tokens(ids) + self.places(torch.arange(LENGTH))
        return self.out(self.layers(found, mask=hidden.repeat_interleave(HEADS, 0)))


def rows_of(file: str) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of ids, and the number of each id's document within its row (0 pads)."""
    if file.endswith(".npz"):
        held = np.load(file)
        return held["ids"], held["mask"]
    ids = np.memmap(file, np.uint16, "r")
    whole = ids[: len(ids) // (LENGTH + 1) * (LENGTH + 1)].reshape(-1, LENGTH + 1)
    return whole, np.ones(whole.shape, np.int64)


def main(file: str, vocabulary: int) -> None:
    """Train on batches in the file's own order."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    ids, mask = (torch.from_numpy(part.astype(np.int64)) for part in rows_of(file))
    model = Model(vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for step in range(STEPS):
        chosen = torch.arange(step * BATCH, (step + 1) * BATCH) % len(ids)
        own, document = ids[chosen], mask[chosen]
        wanted = torch.where((document[:, 1:] == document[:, :-1]) & (document[:, 1:] > 0), own[:, 1:], -100)
        scores = model(own[:, :-1], document[:, :-1])
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(json.dumps(losses))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
