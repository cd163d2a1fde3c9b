"""Fine-tunes one model by every method and prints a table in Markdown.

    python3 bench/methods.py PROGRAM MODEL DATA.jsonl [OPTIONS OF sft…]

Every method gets the same rule: rates 1 and 3 times powers of ten, from 0.001 on in the direction that is better, until
the best has a worse neighbour on both sides, as 128 samples judge them. The end losses of the table are of 128 others,
which no run has seen; the start losses are of the first. DATA's last 256 lines are those two parts, and the rest is
trained on.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

METHODS = {
    "full": ["--method", "full"],
    "amplitude, exact, K = 8": [],
    "amplitude, reconstructed, K = 8": ["--start", "reconstructed", "--save", "both"],
    **{name: ["--method", name] for name in ("lora", "lora-fa", "pissa", "dora", "sparse", "core", "vera", "norms")},
}
GRID = [float(f"{digit}e{power}") for power in range(-6, 2) for digit in (1, 3)]
PART = 128


class Bench:
    def __init__(self, program, model, data, options, work):
        self.program, self.model, self.options, self.work = program, model, options, pathlib.Path(work)
        lines = pathlib.Path(data).read_text().splitlines(keepends=True)
        self.parts = {}
        for name, part in (("train", lines[:-2 * PART]), ("valid", lines[-2 * PART:-PART]), ("test", lines[-PART:])):
            self.parts[name] = self.work / f"{name}.jsonl"
            self.parts[name].write_text("".join(part))

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return done.stdout

    def train(self, method, rate):
        """What sft printed, and the end loss on the validation part; infinite where the run diverged."""
        out = self.work / "out"
        subprocess.run(["rm", "-rf", out, f"{out}.run"], check=True)
        try:
            printed = self.run("sft", "--model", self.model, "--data", self.parts["train"], "--valid",
                               self.parts["valid"], "--lr", rate, "--out", out, *METHODS[method], *self.options)
        except RuntimeError as error:
            if "not finite" not in str(error):
                raise
            return "", float("inf")
        return printed, float(re.search(r"end ([\d.]+)", printed)[1])

    def loss(self, *model):
        file = self.work / "eval.json"
        self.run("eval", *model, "--data", self.parts["test"], "--json", file, *self.length())
        return json.loads(file.read_text())["loss"]

    def length(self):
        at = self.options.index("--length") if "--length" in self.options else None
        return [] if at is None else self.options[at:at + 2]

    def search(self, method):
        """The best rate of the grid."""
        losses, at = {}, GRID.index(1e-3)

        def at_rate(i):
            if i not in losses:
                losses[i] = self.train(method, GRID[i])[1]
                print(f"{method}: rate {GRID[i]:g}, validation loss {losses[i]:.4f}", file=sys.stderr, flush=True)
            return losses[i]

        while True:
            best = min((i for i in (at - 1, at, at + 1) if 0 <= i < len(GRID)), key=at_rate)
            if best == at:
                return GRID[at]
            at = best

    def row(self, method):
        rate = self.search(method)
        printed, _ = self.train(method, rate)
        out = self.work / "out"
        adapter = out / "adapter.safetensors"
        whole = not adapter.exists()
        file = out / "model.safetensors" if whole else adapter
        end = self.loss("--model", out) if (out / "model.safetensors").exists() else \
            self.loss("--model", self.model, "--adapter", out)
        trained = re.search(r"(\d+) parameters are trained", printed)[1]
        start, seconds = re.search(r"start ([\d.]+)", printed)[1], re.search(r"([\d.]+) s/step", printed)[1]
        size = f"{file.stat().st_size} (model)" if whole else str(file.stat().st_size)
        return f"| {method} | {rate:g} | {trained} | {start} | {end:.4f} | {seconds} | {size} |"


with tempfile.TemporaryDirectory() as scratch:
    bench = Bench(*sys.argv[1:4], sys.argv[4:], scratch)
    print(f"base: {bench.loss('--model', bench.model):.4f}\n")
    print("| method | lr | trained | start | end | s/step | bytes on disk |\n|---|---:|---:|---:|---:|---:|---:|")
    for name in METHODS:
        print(bench.row(name), flush=True)
