"""Continual learners against each other, on the same features and the same splits.

    python -m benchmarks list
    python -m benchmarks prepare [STREAM ...]
    python -m benchmarks run [STREAM ...] [--methods METHOD ...] [--orders 3] [--protocol PROTOCOL]
    python -m benchmarks report

A stream is DATASET_NETWORK, "digits_efficientnet" where none is named. `run` prepares what is
missing, keeps one result file for each stream and method, and goes on where it was
interrupted. `report` writes report.md and a picture of each stream beside the results.
"""

import argparse
import importlib
from pathlib import Path

from . import datasets, methods, report, runs, streams
from .protocols import PROTOCOLS

HERE = Path(__file__).parent
DEFAULT_STREAM = "digits_efficientnet"


def describe(package, names):
    for name in names:
        module = importlib.import_module(f"{package.__name__}.{name}")
        print(f"  {name:16} {module.__doc__.splitlines()[0]}")


def positive(text):
    """A whole number from 1 on."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["list", "prepare", "run", "report"])
    parser.add_argument("streams", nargs="*", metavar="STREAM")
    parser.add_argument("--methods", nargs="*", metavar="METHOD", choices=methods.names())
    parser.add_argument(
        "--orders", type=positive, default=3, help="orders of the classes or domains"
    )
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, help="what befalls the tasks before they are learned"
    )
    parser.add_argument(
        "--root", type=Path, default=Path("benchmark_data"), help="folder of data and features"
    )
    parser.add_argument(
        "--results", type=Path, default=HERE / "results" / "runs", help="folder of result files"
    )
    options = parser.parse_intermixed_args(arguments)

    if options.command == "list":
        print("data sets")
        describe(datasets, datasets.names())
        print("methods")
        describe(methods, methods.names())
        print("networks\n  " + ", ".join(streams.NETWORKS))
    elif options.command == "report":
        print(report.write(options.results))
    else:
        for name in options.streams or [DEFAULT_STREAM]:
            stream = streams.load(name, options.root)
            if options.command == "run":
                for method in options.methods or methods.names():
                    if missing := methods.lacks(method, stream):
                        print(f"{name:24} {method:16} needs {missing}: left out")
                    else:
                        runs.run(stream, method, options.orders, options.results, options.protocol)


if __name__ == "__main__":
    main()
