"""What torchrun starts on each node: the nodes add up their ranks."""

import argparse

import torch
import torch.distributed as dist

parser = argparse.ArgumentParser()
parser.add_argument("--out")
out = parser.parse_args().out
dist.init_process_group("gloo")
mine = torch.tensor([dist.get_rank() + 1])
dist.all_reduce(mine)
with open(out, "w") as file:
    file.write(f"{int(mine)} of {dist.get_world_size()}")
print(f"rank {dist.get_rank()} has the sum")
dist.destroy_process_group()
