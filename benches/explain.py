"""How long it takes to find the images that excite kernels most: tchalk, and plain PyTorch.

    explain.py FOLDER [--threads 2] [--rounds 3] [--kernels 64] [--sample 64]

FOLDER holds bench_explain, built from crates/tchalk/examples with --release. Looked at are the first and
the second layer of VGG16, with random weights on both sides, at 32 x 32 pixels: 40 steps of normalized
gradient ascent for each kernel. PyTorch does it as it is usually written, one kernel at a time: the network
up to that layer, the mean of the kernel's map as loss, its gradient divided by the root of its mean square.
Of the kernels it is timed for the first `--sample`, and the time is multiplied. On a GPU where there is
one. Contenders run in processes of their own, in turns; printed is the median of the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

STEPS = 40
LAYERS = {"block1_conv1": 1, "block1_conv2": 2}


def plainly(layer, threads, sample):
    """The seconds for the first `sample` kernels, in this process."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layers = [nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()]
    model = nn.Sequential(*layers[: 2 * LAYERS[layer]]).to(device).eval().requires_grad_(False)
    mean = torch.tensor([0.485, 0.456, 0.406], device=device).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225], device=device).view(1, 3, 1, 1)

    def climb(kernel, steps):
        x = ((torch.rand(1, 1, 32, 32) * 20 + 128) / 255).expand(1, 3, 32, 32).to(device)
        for _ in range(steps):
            x = x.detach().requires_grad_()
            loss = model((x - mean) / std)[:, kernel].mean()
            (gradient,) = torch.autograd.grad(loss, x)
            gradient = gradient / (gradient.square().mean().sqrt() + 1e-8)
            x = (x + gradient / 255).clamp(0, 1)
        return x.detach().cpu()

    climb(0, STEPS)
    begun = time.perf_counter()
    for kernel in range(sample):
        climb(kernel, STEPS)
    print(json.dumps({"seconds": time.perf_counter() - begun, "device": device}))


def run(command):
    """What a process prints last, as JSON."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--kernels", type=int, default=64)
    arguments.add_argument("--sample", type=int, default=64)
    arguments.add_argument("--plainly")
    given = arguments.parse_args()
    if given.plainly:
        return plainly(given.plainly, given.threads, given.sample)
    sample = min(given.sample, given.kernels)
    program, threads, kernels = os.path.join(given.folder, "bench_explain"), str(given.threads), str(given.kernels)
    here = [sys.executable, __file__, given.folder, "--threads", threads, "--sample", str(sample), "--plainly"]
    print(f"activation maximization of {kernels} kernels of VGG16 at 32 x 32, {STEPS} steps, {threads} threads, {given.rounds} rounds")
    if sample < given.kernels:
        print(f"PyTorch timed for {sample} kernels, and multiplied by {given.kernels / sample:g}")
    for layer in LAYERS:
        ours, theirs = [], []
        for _ in range(given.rounds):
            ours.append(run([program, threads, layer, kernels]))
            theirs.append(run([*here, layer]))
        first, second = (statistics.median(one["seconds"] for one in found) for found in (ours, theirs))
        second *= given.kernels / sample
        print(
            f"{layer}: tchalk {first:.3f} s on {ours[0]['device']}, PyTorch {second:.3f} s on {theirs[0]['device']}, "
            f"ratio {first / second:.3f}; {ours[0]['improved']:.0%} answer more strongly, {ours[0]['dead']} dead"
        )


if __name__ == "__main__":
    main()
