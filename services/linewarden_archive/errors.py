"""What an archive refuses."""

from linewarden_runtime.errors import Fatal


class ArchiveDamaged(Fatal):
    """A file of an archive is missing, cut or changed, or its manifest does not hold together."""

    exit_code = 65
