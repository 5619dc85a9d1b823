"""Files with what not everybody on the machine may read."""

import os
import stat


def private(path: str, flags: int) -> int:
    """Open a file that its owner alone may read, also one that was open to others: an ``opener`` of ``open``.

    Parameters
    ----------
    path : str
        Where it is; what is no file, such as a terminal, is left as it is.
    flags : int
        Flags of ``os.open``.

    Returns
    -------
    int
        Its descriptor.

    Raises
    ------
    OSError
        It cannot be opened, or belongs to somebody else.
    """
    opened = os.open(path, flags, 0o600)
    try:
        if stat.S_ISREG(os.fstat(opened).st_mode):
            os.chmod(path, 0o600)
    except OSError:
        os.close(opened)
        raise
    return opened
