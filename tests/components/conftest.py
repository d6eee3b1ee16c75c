"""What the tests of components share."""

import torch

# Their tensors are small: a second thread brings nothing, and on a busy machine costs minutes.
torch.set_num_threads(1)
