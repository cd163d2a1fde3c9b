"""The measuring part of compare.sh: runs our programs and PyTorch's by turns and prints tables of ratios in Markdown."""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# A line of a table. `ours` and `theirs` are (command, figure); `less` says that the smaller number is the better one.
Row = collections.namedtuple("Row", "label ours theirs less digits", defaults=(False, 1))

GEMM_SHAPES = ((1024, 256, 256), (1024, 768, 256), (1024, 1024, 256), (1024, 256, 1024), (1024, 16384, 256),
               (256, 2048, 2048), (256, 5632, 2048), (256, 2048, 5632), (2048, 2048, 2048))
STEPS = ((256, 8, 128), (256, 4, 512), (16384, 8, 128))
BASES = ((46398, 256, 8), (8112, 2048, 64))


def ours(program, benchmark):
    return ("ours", program, f"^{benchmark}/")


def theirs(script, *args, threads=2):
    return ("theirs", script, *map(str, args), threads)


def gemm_rows(_):
    for threads in (1, 2):
        for m, n, k in GEMM_SHAPES:
            for layout in ("nt", "nn", "tn"):
                name = f"gemm/{m}x{n}x{k}/{layout}/threads:{threads}"
                yield Row(name, (ours("bench_gemm", name), "GFLOP/s"),
                          (theirs("torch_peer.py", "gemm", layout, m, n, k, threads=threads), "GFLOP/s"))


def step_rows(_):
    for vocabulary, batch, length in STEPS:
        name = f"step/V:{vocabulary}/B:{batch}/T:{length}"
        mine = ours("bench_step", name + "/threads:2")
        peer = theirs("torch_gpt_step.py", vocabulary, batch, length)
        yield Row(name + ", tokens/s", (mine, "tokens/s"), (peer, "tokens_per_s"), digits=0)
        yield Row(name + ", peak memory in MiB", (mine, "peak_MiB"), (peer, "peak_rss_mib"), less=True, digits=0)


def amplitude_rows(_):
    for k in (8, 64):
        for form, variant in (("explicit/reconstructed", "autograd"), ("factored/reconstructed", "factored"),
                              ("explicit/exact", "autograd"), ("factored/exact", "autograd")):
            name = f"amplitude/{form}/K:{k}"
            peer = theirs("torch_amplitude_step.py", variant, k, 256, 8, 128, "blocks")
            mine = ours("bench_step", name + "/V:256/B:8/T:128/threads:2")
            yield Row(f"{name} against `{variant}`, tokens/s", (mine, "tokens/s"), (peer, "tokens_per_s"), digits=0)


def basis_rows(rows_dir):
    for rows, width, k in BASES:
        mine = ours("bench_basis", f"basis/N:{rows}/d:{width}/K:{k}/threads:2")
        peer = theirs("torch_peer.py", "basis", f"{rows_dir}/{rows}x{width}.f32", rows, width, k)
        name = f"basis/{rows}x{width}/K:{k}"
        yield Row(name + ", seconds", (mine, "seconds"), (peer, "seconds"), less=True, digits=4)
        yield Row(name + ", variance captured", (mine, "captured"), (peer, "captured"), digits=6)


GROUPS = {"gemm": ("Matrix products, GFLOP/s", gemm_rows), "step": ("Full step", step_rows),
          "amplitude": ("Amplitude-only step", amplitude_rows), "basis": ("Universal basis", basis_rows)}


class Failure(Exception):
    pass


class Runner:
    """Runs commands, a process each, and reads the figures that they print."""

    def __init__(self, build, peers, rows_dir):
        self.build, self.peers = build, peers
        self.environment = {**os.environ, "AMPGRAD_ROWS_DIR": rows_dir}

    def run(self, command):
        figures = self.run_ours(*command[1:]) if command[0] == "ours" else self.run_theirs(*command[1:])
        return {name: value["median"] if isinstance(value, dict) and "median" in value else value
                for name, value in figures.items()}

    def run_ours(self, program, pattern):
        output = self.output([f"{self.build}/{program}", f"--benchmark_filter={pattern}", "--benchmark_format=json"],
                             self.environment)
        result = json.loads(output)["benchmarks"][0]
        if result.get("error_occurred"):
            raise Failure(f"{result['name']}: {result['error_message']}")
        return result

    def run_theirs(self, script, *args):
        *args, threads = args
        path = HERE / script if (HERE / script).exists() else pathlib.Path(self.peers) / script
        environment = {**self.environment, "THREADS": str(threads), "PEERS": self.peers, "PYTHONPATH": self.peers,
                       "PYTHONDONTWRITEBYTECODE": "1"}
        shell = 'source "$PEERS/env.sh" best && exec /usr/bin/python3 "$@"'
        return json.loads(self.output(["bash", "-c", shell, "bash", str(path), *args], environment).splitlines()[-1])

    def output(self, command, environment):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0 or not done.stdout.strip():
            last = (done.stderr.strip() or "it printed nothing").splitlines()[-1]
            raise Failure(f"{' '.join(command)} failed with exit code {done.returncode}: {last}")
        return done.stdout


def pair_of(row):
    return row.ours[0], row.theirs[0]


def measure(runner, rows, rounds):
    """{pair of commands: [(our figures, theirs) of each round]}. The two of a pair run one right after the other, so that
    a busy hour of the machine meets both."""
    results = {pair_of(row): [] for row in rows}
    for number in range(rounds):
        for pair, figures in results.items():
            print(f"round {number + 1} of {rounds}:", *pair[0][1:], file=sys.stderr, flush=True)
            figures.append((runner.run(pair[0]), runner.run(pair[1]) if runner.peers else {}))
    return results


def median(values):
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def format_row(row, runs):
    """`runs` are the (our figures, theirs) of the row's pair, round by round."""
    mine = [figures[row.ours[1]] for figures, _ in runs]
    peer = [figures[row.theirs[1]] for _, figures in runs if figures]
    cells = [row.label] + [f"{median(values):.{row.digits}f}" if values else "-" for values in (mine, peer)]
    if peer:
        ratios = [t / o if row.less else o / t for o, t in zip(mine, peer)]
        ratio = median(peer) / median(mine) if row.less else median(mine) / median(peer)
        cells += [f"{ratio:.2f}", f"{min(ratios):.2f}-{max(ratios):.2f}"]
    else:
        cells += ["-", "-"]
    shares = [figures["%peak"] for figures, _ in runs if "%peak" in figures and not row.less]
    cells.append(f"{median(shares):.0f} %" if shares else "-")
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
    parser.add_argument("--peers")
    options = parser.parse_args()
    programs = "ours and PyTorch's by turns" if options.peers else "ours alone"
    print(f"Rounds: {options.rounds}; the figures are medians over them. A process for each run, {programs}; 2 threads "
          "unless stated. A ratio above 1 says that ours is better.")
    with tempfile.TemporaryDirectory() as rows_dir:
        runner = Runner(options.build, options.peers, rows_dir)
        for name in [options.only] if options.only else GROUPS:
            title, make_rows = GROUPS[name]
            rows = list(make_rows(rows_dir))
            print_table(title, rows, measure(runner, rows, options.rounds))


try:
    main()
except Failure as failure:
    sys.exit(str(failure))
except KeyboardInterrupt:
    sys.exit(1)
