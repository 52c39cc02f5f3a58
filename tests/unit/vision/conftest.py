import torch

from tests.support.distributions import install

__all__ = ["install"]

torch.set_num_threads(1)  # several test runs share the cores: a second thread mostly waits for the first
