"""One digest for a data set, so that a threshold can say which pictures it comes from."""

import hashlib

from linewarden_train.data.samples import Samples


def digest_of(samples: Samples) -> str:
    """Return the SHA-256 (hex) over labels, shapes, pictures and masks in order."""
    running = hashlib.sha256()
    for index in range(len(samples)):
        sample = samples[index]
        head = f"{sample.label.defect_class}|{sample.label.group}|{sample.picture.shape}|{sample.mask is not None}"
        running.update(head.encode())
        running.update(sample.picture.tobytes())
        if sample.mask is not None:
            running.update(sample.mask.tobytes())
    return running.hexdigest()
