"""The one error that a user is meant to read."""


class InputError(ValueError):
    """A value, file or option from the user that cannot be used.

    Its message is one sentence: the thing, the value found, what was expected, what to do.
    The command line prints that sentence alone, without a traceback.
    """


def shown(value: object) -> str:
    """A value as a sentence shows it: as Python writes it, its middle left out where it is long.

    >>> shown("9" * 100)
    "'99999999999999999999999999999...99999999999999999999999999999'"
    """
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:30]}...{text[-30:]}"
