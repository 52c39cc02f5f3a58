"""`make bench`: every benchmark, one after the other."""

from benchmarks import end_to_end, ingest, queue, replay, trust_cost

if __name__ == "__main__":
    end_to_end.main([])
    ingest.main([])
    queue.main([])
    replay.main([])
    trust_cost.main([])
