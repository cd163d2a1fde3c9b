"""Times an amplitude-only training step of the photonic model: the scores of the blocks' matrices are all that trains.
weights.py says what the styles are."""
import argparse

from common import random_batch, time_steps
from gpt import Gpt
from weights import STYLES, Amplitudes

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("style", choices=STYLES)
for name in ("k", "vocabulary", "batch", "length"):
    parser.add_argument(name, type=int)
parser.add_argument("--steps", type=int, help="default: 20, or 10 where a sequence has more than 128 tokens")
options = parser.parse_args()

model = Gpt(options.vocabulary)
rows, inputs = model.weights.rows, model.weights.inputs
model.weights = Amplitudes(rows, inputs, list(rows), options.style, options.k)
batches = [random_batch(options.vocabulary, options.batch, options.length) for _ in range(4)]
steps = options.steps or (20 if options.length <= 128 else 10)
time_steps(model, list(model.weights.scores.values()), batches, steps, warmup=4, lr=1e-3, weight_decay=0)
