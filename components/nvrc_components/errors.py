"""The errors a user meets: one clear line that names what was wrong and the way out."""


class NvrcError(Exception):
    """Base of every error that is the input's fault rather than a defect; shown as one line, exit code 2."""


class InputError(NvrcError):
    """A video, option or output path that cannot be used as asked."""


class BitstreamError(NvrcError):
    """A file that is truncated, corrupted, foreign, or newer than this decoder."""
