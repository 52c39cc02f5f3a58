"""`make bench`: every benchmark, one after the other."""

from benchmarks import end_to_end, ingest, trust_cost

if __name__ == "__main__":
    end_to_end.main([])
    ingest.main([])
    trust_cost.main([])
