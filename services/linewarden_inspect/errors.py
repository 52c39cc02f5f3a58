"""What ends the inspect process on purpose.

Fatal
└── DeviceLost           the device fails on everything it is given: a new process may find it well again
"""

from linewarden_runtime.errors import Fatal


class DeviceLost(Fatal):
    """Too many frames in a row failed on the device, each of them alone."""

    exit_code = 75
