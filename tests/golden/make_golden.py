#!/usr/bin/env python3
"""Makes the reference results of the models beside this file: golden.*, forms.* and analysis.json of each.

    make_golden.py                  writes them in place
    make_golden.py --compare DIR    makes them anew, writes nothing, and compares them with those in DIR
    make_golden.py --self-check     checks every gradient by the complex step
"""
import argparse
import json
import pathlib
import sys

import analysis
import compare
import forms
import method
import models
import safetensors_file
import self_check

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("gpt2-tiny", "llama-tiny")
COPIED = ("config.json", "model.safetensors")


def inputs(directory):
    """The model, the batch (ids, targets) and the factors of the forms."""
    tensors = safetensors_file.read(directory / "inputs.safetensors")
    batch = tensors.pop("input_ids"), tensors.pop("targets")
    return models.Model(directory), batch, tensors


def results(directory, lapack_signs=False):
    """{file name: tensors or figures} for a model directory."""
    model, batch, factors = inputs(directory)
    tensors, figures = method.reference(model, batch)
    form_tensors, form_figures = forms.reference(model, batch, factors)
    return {"golden.safetensors": tensors, "golden.json": figures, "forms.safetensors": form_tensors,
            "forms.json": form_figures, "analysis.json": analysis.reference(model, lapack_signs)}


def write(name):
    """Writes the results of a model in place."""
    for file, content in results(HERE / name).items():
        if file.endswith(".safetensors"):
            safetensors_file.write(HERE / name / file, content)
        else:
            (HERE / name / file).write_text(json.dumps(content, indent=1) + "\n")


def compare_with(other, lapack_signs):
    """Prints the error of every tensor and number, then the worst of each file; whether all are within the bound."""
    summary, passed = [], True
    for name in NAMES:
        copied = {file: compare.read(HERE / name / file) for file in COPIED}
        for file, content in (copied | results(HERE / name, lapack_signs)).items():
            errors = compare.errors(content, compare.read(other / name / file))
            for key, error in errors.items():
                print(f"{error:8.1e}  {name}/{file}  {key}")
            worst, above = max(errors, key=errors.get), sum(not e <= compare.BOUND for e in errors.values())
            summary.append(f"{errors[worst]:8.1e}  {name}/{file}: {len(errors)} compared, {above} above "
                           f"{compare.BOUND:g}, worst {worst}")
            passed &= above == 0
    print("\nworst of each file:", *summary, sep="\n")
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compare", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--lapack-signs", action="store_true",
                        help="compare analysis.json with the basis signed as LAPACK returns it")
    parser.add_argument("--self-check", action="store_true")
    args = parser.parse_args()
    if args.compare:
        return 0 if compare_with(args.compare, args.lapack_signs) else 1
    if args.self_check:
        return 0 if all([self_check.check(name, *inputs(HERE / name)) for name in NAMES]) else 1
    for name in NAMES:
        write(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
