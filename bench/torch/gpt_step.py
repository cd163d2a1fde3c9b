"""Times a full training step of the photonic model."""
import argparse

from common import random_batch, time_steps
from gpt import Gpt

parser = argparse.ArgumentParser(description=__doc__)
for name in ("vocabulary", "batch", "length"):
    parser.add_argument(name, type=int)
parser.add_argument("--steps", type=int, help="default: 20, or 10 where a sequence has more than 128 tokens")
options = parser.parse_args()

model = Gpt(options.vocabulary)
batches = [random_batch(options.vocabulary, options.batch, options.length) for _ in range(4)]
steps = options.steps or (20 if options.length <= 128 else 10)
time_steps(model, model.params(), batches, steps, warmup=4, lr=3e-4, weight_decay=0.1)
