"""Images for recipes that draw them: named on the command line, and put where recipes look.

It must never start anything before every name and file was looked at.
"""

from pathlib import Path

from console import reach
from console.ends import WrongCall


def checked(named: list[str]) -> dict[str, Path]:
    """Files by the names that recipes call them, of `NAME=FILE`. Raises WrongCall."""
    import msgspec

    from console import submitting
    from mayfly.contract.outputs.picture import AssetName

    found: dict[str, Path] = {}
    for one in named:
        name, equals, file = one.partition("=")
        try:
            msgspec.convert(name, AssetName)
        except msgspec.ValidationError:
            equals = ""
        if not equals:
            raise WrongCall(
                f"{one} names no image.",
                "Say NAME=FILE; a name is small letters, digits, dots and dashes, and ends with"
                " .png, .jpg or .webp.",
            )
        found[name] = submitting.checked_file(file)
    return found


def keep(at: reach.Stack, images: dict[str, Path]) -> None:
    """Puts them into the stack's bucket; what had one of these names is replaced."""
    from mayfly.core import naming

    for name, path in images.items():
        at.cargo.upload(path, naming.asset_key(name), lambda _: None)
