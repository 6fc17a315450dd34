"""Numbers by name as they are written on a command line: "terminal=1,format=0.1"."""

from __future__ import annotations

from empathy_env.errors import InvalidArgument


def read_numbers(text: str, *, what: str) -> dict[str, float]:
    """Return the numbers of a text "name=number,name=number" by their names.

    Args:
        text: The text.
        what: The argument that it was given for, for the error.

    Raises:
        InvalidArgument: If a part is no "name=number", or a name is there twice.

    >>> read_numbers("terminal=1, format=0.1", what="reward")
    {'terminal': 1.0, 'format': 0.1}
    """
    numbers: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if not name or name in numbers:
            raise InvalidArgument(f"{what}={text!r}: {part!r} has no name of its own. {_FORM}")
        try:
            numbers[name] = float(number)
        except ValueError as error:
            raise InvalidArgument(
                f"{what}={text!r}: {number!r} after {name!r} is no number. {_FORM}"
            ) from error
    return numbers


_FORM = "Write name=number, with commas between."
