"""Small files of weights as PyTorch writes them: new.pth, old.pth (the form before 1.6), wrapped.pth and
whole.pth.

All but the last hold the same tensors; whole.pth holds a network object, which has to be refused.
"""

from collections import OrderedDict
from pathlib import Path

import torch

folder = Path(__file__).parent / "torch_files"
folder.mkdir(exist_ok=True)
big = torch.arange(24.0)
tensors = OrderedDict(
    [
        ("features.0.weight", torch.arange(12.0).view(2, 3, 2)),
        ("features.0.bias", torch.nn.Parameter(torch.tensor([0.5, -2.0]))),
        ("half", torch.tensor([1.5, -0.25]).half()),
        ("count", torch.tensor(7)),
        ("view", big[4:10].view(2, 3)),
        ("turned", big.view(4, 6).t()),
    ]
)
tensors._metadata = OrderedDict([("", {"version": 1})])
torch.save(tensors, folder / "new.pth")
torch.save(tensors, folder / "old.pth", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in tensors.items()}}, folder / "wrapped.pth")
torch.save(torch.nn.Linear(2, 1), folder / "whole.pth")
