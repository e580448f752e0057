"""What Keras's convolution and pooling make of the edges, for many sizes, strides and paddings.

Writes windows.safetensors: for each case `conv KERNEL STRIDE PADDING HEIGHT WIDTH` or
`pool WINDOW STRIDE PADDING HEIGHT WIDTH` its output, beside the inputs and kernels they share.
"""

from pathlib import Path

import keras
import torch
from safetensors.torch import save_file

keras.backend.set_image_data_format("channels_first")
torch.manual_seed(2)
values = {}
for height, width in [(7, 7), (8, 5)]:
    x = torch.randn(2, 3, height, width)
    values[f"x {height} {width}"] = x
    for size in [1, 2, 3, 5]:
        kernel = values.setdefault(f"kernel {size}", torch.randn(4, 3, size, size) / size)
        bias = values.setdefault("bias", torch.randn(4))
        for stride in [1, 2, 3]:
            for padding in ["same", "valid"]:
                case = f"{size} {stride} {padding} {height} {width}"
                conv = keras.layers.Conv2D(4, size, strides=stride, padding=padding)
                conv.build(x.shape)
                conv.set_weights([kernel.permute(2, 3, 1, 0).numpy(), bias.numpy()])
                values[f"conv {case}"] = conv(x).detach()
                pool = keras.layers.MaxPooling2D(size, strides=stride, padding=padding)
                values[f"pool {case}"] = pool(x).detach()

save_file({name: value.contiguous().cpu() for name, value in values.items()}, Path(__file__).with_name("windows.safetensors"))
