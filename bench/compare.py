"""The measuring part of compare.sh: runs our programs and PyTorch's by turns; prints tables of ratios in Markdown."""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TORCH = pathlib.Path(__file__).resolve().parent / "torch"

# A line of a table: one figure of two commands. `less` says that the smaller number is the better one.
Row = collections.namedtuple("Row", "label figure ours theirs less digits", defaults=(False, 1))

GEMM_SHAPES = ((1024, 256, 256), (1024, 768, 256), (1024, 1024, 256), (1024, 256, 1024), (1024, 16384, 256),
               (256, 2048, 2048), (256, 5632, 2048), (256, 2048, 5632), (2048, 2048, 2048))
STEPS = ((256, 8, 128), (256, 4, 512), (16384, 8, 128))
BASES = ((46398, 256, 8), (8112, 2048, 64))


# Commands: the method of Runner that runs them, and its arguments.
def benchmark(program, name):
    return ("benchmark", program, f"^{name}/")


def sft(*options):
    return ("sft", *options)


def torch(script, *args, threads=2):
    return ("torch", threads, script, *map(str, args))


def gemm_rows(_):
    for threads in (1, 2):
        for m, n, k in GEMM_SHAPES:
            for layout in ("nt", "nn", "tn"):
                name = f"gemm/{m}x{n}x{k}/{layout}/threads:{threads}"
                yield Row(name, "GFLOP/s", benchmark("bench_gemm", name),
                          torch("gemm.py", layout, m, n, k, threads=threads))


def step_rows(_):
    for vocabulary, batch, length in STEPS:
        name = f"step/V:{vocabulary}/B:{batch}/T:{length}"
        pair = benchmark("bench_step", name + "/threads:2"), torch("gpt_step.py", vocabulary, batch, length)
        yield Row(name + ", tokens/s", "tokens/s", *pair, digits=0)
        yield Row(name + ", peak memory in MiB", "peak_MiB", *pair, less=True, digits=0)


def amplitude_rows(_):
    for k in (8, 64):
        for form, style in (("explicit/reconstructed", "autograd"), ("factored/reconstructed", "factored"),
                            ("explicit/exact", "autograd"), ("factored/exact", "autograd"),
                            ("factored/exact", "exact")):
            name = f"amplitude/{form}/K:{k}"
            yield Row(f"{name} against `{style}`, tokens/s", "tokens/s",
                      benchmark("bench_step", name + "/V:256/B:8/T:128/threads:2"),
                      torch("amplitude_step.py", style, k, 256, 8, 128), digits=0)


def lora_rows(_):
    for style in ("peft", "fused"):
        yield Row(f"lora/r:8 against `{style}`, tokens/s", "tokens/s",
                  benchmark("bench_step", "lora/r:8/V:256/B:8/T:128/threads:2"),
                  torch("lora_step.py", style, 8, 256, 8, 128), digits=0)


def basis_rows(scratch):
    for rows, width, k in BASES:
        pair = (benchmark("bench_basis", f"basis/N:{rows}/d:{width}/K:{k}/threads:2"),
                torch("basis.py", rows, width, k, "--rows", f"{scratch}/{rows}x{width}.f32"))
        name = f"basis/{rows}x{width}/K:{k}"
        yield Row(name + ", seconds", "seconds", *pair, less=True, digits=4)
        yield Row(name + ", variance captured", "captured", *pair, digits=6)


def tinyllama_rows(_):
    amplitude = "--method amplitude --k 64 --sample 52"
    for method, style in ((f"{amplitude} --chain explicit --start exact", "seed"),
                          (f"{amplitude} --chain factored --start reconstructed", "factored"),
                          (f"{amplitude} --chain factored --start exact", "factored"),
                          ("--method full --train head", "full")):
        pair = sft(*method.split()), torch("tinyllama_step.py", style, 64, 1, 512)
        name = f"`sft {method}` against `{style}`"
        yield Row(name + ", seconds", "seconds", *pair, less=True, digits=2)
        yield Row(name + ", memory in MiB (ours: without the mapped file)", "peak_MiB", *pair, less=True, digits=0)


GROUPS = {"gemm": ("Matrix products, GFLOP/s", gemm_rows), "step": ("Full step", step_rows),
          "amplitude": ("Amplitude-only step", amplitude_rows), "lora": ("LoRA step", lora_rows),
          "basis": ("Universal basis", basis_rows),
          "tinyllama": ("Step of the last two layers of TinyLlama's shape", tinyllama_rows)}
UNASKED = ("gemm", "step", "amplitude", "lora", "basis")


class Failure(Exception):
    pass


def output(command, **more):
    """What a command prints. Its standard error is shown only where it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode != 0 or not done.stdout.strip():
        last = (done.stderr.strip() or "it printed nothing").splitlines()[-1]
        raise Failure(f"{' '.join(command)} failed with exit code {done.returncode}: {last}")
    return done.stdout


def anonymous_mib(process):
    """The memory that a process holds at the moment beside mapped files; 0 once it has ended."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0


class Runner:
    """Runs commands, a process each, and reads the figures that they print."""

    def __init__(self, build, simd, environment, scratch):
        self.build, self.environment, self.scratch = build, environment, pathlib.Path(scratch)
        self.simd = [f"--simd={simd}"] if simd else []

    def run(self, command):
        return getattr(self, command[0])(*command[1:])

    def benchmark(self, program, pattern):
        command = [f"{self.build}/{program}", f"--benchmark_filter={pattern}", "--benchmark_format=json", *self.simd]
        printed = output(command, env={**os.environ, "AMPGRAD_ROWS_DIR": str(self.scratch)})
        figures = json.loads(printed)["benchmarks"][0]
        if figures.get("error_occurred"):
            raise Failure(f"{figures['name']}: {figures['error_message']}")
        return figures

    def torch(self, threads, script, *args):
        command = ["bash", str(TORCH / "env.sh"), self.environment, "/usr/bin/python3", str(TORCH / script), *args]
        return json.loads(output(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)}))

    def sft(self, *method):
        program = f"{self.build}/ampgrad"
        model, data, out, log = (self.scratch / name for name in ("model", "data", "out", "log"))
        if not model.exists():
            output([program, "synth", "--preset", "tinyllama", "--out", str(model)])
            sample = json.dumps({"prompt": "Count.", "completion": " ".join(map(str, range(1000)))})
            data.write_text(6 * (sample + "\n"))  # cut at 512 tokens each; four to train on, one held out
        command = [program, "sft", "--model", model, "--data", data, "--out", out, "--log", log, "--layers", "last:2",
                   "--batch", "1", "--length", "512", "--steps", "5", "--threads", "2", *method, *self.simd]
        peak = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            while process.poll() is None:  # what it prints is short, so the pipe never fills
                if not log.exists() or log.read_text().count("\n") < 5:  # what it saves then does not count
                    peak = max(peak, anonymous_mib(process.pid))
                time.sleep(0.02)
            text = process.stdout.read().strip()
        shutil.rmtree(out, ignore_errors=True)
        log.unlink(missing_ok=True)
        if process.returncode != 0:
            raise Failure(f"{' '.join(map(str, command))} failed: {text.splitlines()[-1]}")
        return {"seconds": float(re.search(r"([\d.]+) s/step", text)[1]), "peak_MiB": peak}


def pair_of(row):
    return row.ours, row.theirs


def measure(runner, rows, rounds):
    """{pair of commands: [(our figures, theirs) of each round]}. The two of a pair run one right after the other, so
    that a busy hour of the machine meets both."""
    results = {pair_of(row): [] for row in rows}
    for number in range(rounds):
        for (ours, theirs), figures in results.items():
            print(f"round {number + 1} of {rounds}:", *ours[1:], file=sys.stderr, flush=True)
            figures.append((runner.run(ours), runner.run(theirs) if runner.environment else {}))
    return results


def format_row(row, runs):
    """`runs` are the (our figures, theirs) of the row's pair, round by round."""
    mine = [figures[row.figure] for figures, _ in runs]
    peer = [figures[row.figure] for _, figures in runs if figures]
    cells = [row.label, *(f"{statistics.median(values):.{row.digits}f}" if values else "-" for values in (mine, peer))]
    if peer:
        ratio = lambda o, t: t / o if row.less else o / t
        ratios = [ratio(o, t) for o, t in zip(mine, peer)]
        medians = ratio(statistics.median(mine), statistics.median(peer))
        cells += [f"{medians:.2f}", f"{min(ratios):.2f}-{max(ratios):.2f}"]
    else:
        cells += ["-", "-"]
    shares = [figures["%peak"] for figures, _ in runs if "%peak" in figures and not row.less]
    cells.append(f"{statistics.median(shares):.0f} %" if shares else "-")
    return "| " + " | ".join(cells) + " |"


def print_table(title, rows, results):
    print(f"\n### {title}\n\n| what | ours | PyTorch | ratio | over the rounds | ours, of the FMA peak |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in rows:
        print(format_row(row, results[pair_of(row)]))
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--only", choices=GROUPS)
    parser.add_argument("--build", required=True)
    parser.add_argument("--simd", metavar="NAME", help="the instruction set that ours use")
    parser.add_argument("--torch", metavar="ENVIRONMENT", help="PyTorch runs too, in this environment of torch/env.sh")
    options = parser.parse_args()
    programs = f"ours and PyTorch's ({options.torch}) by turns" if options.torch else "ours alone"
    if options.simd:
        programs += f", ours with {options.simd}"
    print(f"Rounds: {options.rounds}; the figures are medians over them. A process for each run, {programs}; 2 threads "
          "unless stated. A ratio above 1 says that ours is better.")
    with tempfile.TemporaryDirectory() as scratch:
        runner = Runner(options.build, options.simd, options.torch, scratch)
        for name in [options.only] if options.only else UNASKED:
            title, make_rows = GROUPS[name]
            rows = list(make_rows(scratch))
            print_table(title, rows, measure(runner, rows, options.rounds))


try:
    main()
except Failure as failure:
    sys.exit(str(failure))
except KeyboardInterrupt:
    sys.exit(1)
