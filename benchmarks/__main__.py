"""`make bench`: every benchmark, one after the other, each at its full length."""

import argparse

from benchmarks import end_to_end, ingest, queue, replay, reports, trust_cost, verify

if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m benchmarks", description=f"{__doc__} `python -m benchmarks.NAME --help` tells of one alone."
    ).parse_args()
    end_to_end.main([])
    ingest.main([])
    queue.main([])
    replay.main([])
    reports.main([])
    trust_cost.main([])
    verify.main([])
