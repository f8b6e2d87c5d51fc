"""Find backbones by name, among the built-in ones, plugins and those of this session."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mri_tumor.backbones.spec import SEPARATOR, BackboneSpec
from mri_tumor.errors import BackboneError, suggestion

GROUP = "mri_tumor.backbones"
SESSION = "this session"

# Backbones registered by hand in this process; plugins are found through entry points.
_registered: dict[str, BackboneSpec] = {}
# Package by name of the backbones that saved models were built on and that are not here.
_absent: dict[str, str] = {}


def register_backbone(spec: BackboneSpec, *, overwrite: bool = False) -> BackboneSpec:
    """Make a backbone available by its name in this process.

    Parameters
    ----------
    spec : BackboneSpec
        The backbone. A package registers one for everybody through the entry-point group
        ``mri_tumor.backbones`` instead.
    overwrite : bool, default=False
        Take the place of a backbone that was registered in this session under the same name,
        as running a notebook's cell again does. What a package provides always stays.

    Returns
    -------
    BackboneSpec
        The same object.

    Raises
    ------
    BackboneError
        If the name is taken by another backbone, or holds a colon.

    Examples
    --------
    >>> from mri_tumor import BackboneSpec
    >>> def build(input_shape, weights):
    ...     import keras
    ...     image = keras.Input(input_shape)
    ...     return keras.Model(image, keras.layers.Conv2D(8, 5, strides=8)(image))
    >>> spec = BackboneSpec(name="OneLayer", builder=build, scaling=list, weights=())
    >>> register_backbone(spec, overwrite=True).name
    'OneLayer'
    """
    _check_name(spec.name, SESSION)
    ours = replace(spec, package=spec.package or SESSION)
    packages = ", ".join(map(_package, _entry_points(spec.name)))
    known = _registered.get(spec.name)
    if packages or (known not in (None, ours) and not overwrite):
        message = (
            f"The backbone name {spec.name!r} is taken by {packages or SESSION}. "
            "Register yours under another name"
            f"{'' if packages else ', or pass overwrite=True to put it in its place'}."
        )
        raise BackboneError(message)
    _registered[spec.name] = ours
    return spec


def unregister_backbone(name: str) -> None:
    """Forget a backbone that `register_backbone` added; unknown names are ignored.

    Parameters
    ----------
    name : str
        Name of the backbone.
    """
    _registered.pop(name, None)


def list_backbones() -> dict[str, str]:
    """Return the name of every backbone and the package it comes from.

    Only names are read: no plugin is imported.

    Returns
    -------
    dict of str to str
        Package by backbone name, sorted by name; several packages where they give the same
        name, which `get_backbone` then refuses.

    Examples
    --------
    >>> list_backbones()["MobileNetV2"]
    'mri-tumor'
    """
    packages: dict[str, set[str]] = {}
    for entry in entry_points(group=GROUP):
        packages.setdefault(entry.name, set()).add(_package(entry))
    found = {name: ", ".join(sorted(several)) for name, several in packages.items()}
    found.update({name: spec.package for name, spec in _registered.items()})
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def get_backbone(name: str | BackboneSpec) -> BackboneSpec:
    """Return the backbone of a name, loading its plugin if it has one.

    Parameters
    ----------
    name : str or BackboneSpec
        A name from `list_backbones`, which options may follow, as in
        ``"MobileNetV2:alpha=0.5"``; a spec is returned as it is.

    Returns
    -------
    BackboneSpec
        The backbone.

    Raises
    ------
    BackboneError
        If the name or an option is unknown, the name is given twice, or its plugin fails to
        load.

    Examples
    --------
    >>> get_backbone("MobileNetV2").input_size
    224
    >>> dict(get_backbone("MobileNetV2:alpha=0.5").options)
    {'alpha': 0.5}
    """
    if isinstance(name, BackboneSpec):
        return name
    base, *options = str(name).split(SEPARATOR)
    spec = _find(base)
    return spec.with_options(**_read_options(str(name), options)) if options else spec


def absent_backbone(
    name: str, *, package: str, finetune_layers: int | None = None
) -> BackboneSpec:
    """Stand in for the backbone of a saved model whose plugin is not installed.

    The model itself is whole: it answers, explains and can be fine-tuned. Only building a new
    one needs the plugin, and `get_backbone` says from now on which package brings it.

    Parameters
    ----------
    name : str
        Name of the backbone.
    package : str
        Distribution that it came from, as far as the saved model knows.
    finetune_layers : int, optional
        How many layers it opens, as far as the saved model knows.

    Returns
    -------
    BackboneSpec
        One whose builder raises `BackboneError`.
    """
    _absent[name.split(SEPARATOR, maxsplit=1)[0]] = package

    def build(*_arguments: Any, **_options: Any) -> Any:
        raise BackboneError(_unknown(name))

    spec = BackboneSpec(name=name, builder=build, scaling=list, package=package)
    return spec if finetune_layers is None else replace(spec, finetune_layers=finetune_layers)


def _find(name: str) -> BackboneSpec:
    if name in _registered:
        return _registered[name]
    entries = _entry_points(name)
    if not entries:
        raise BackboneError(_unknown(name))
    if len(entries) > 1:
        message = (
            f"The backbone name {name!r} is given by more than one package: "
            f"{', '.join(map(_package, entries))}. Uninstall all but one of them."
        )
        raise BackboneError(message)
    return _load(entries[0])


def _entry_points(name: str) -> list[EntryPoint]:
    """Return the distinct entry points of a name, by package."""
    # One distribution that is on the path twice (an editable install) lists its own twice.
    found = {
        (_package(entry), entry.value): entry for entry in entry_points(group=GROUP, name=name)
    }
    return [found[key] for key in sorted(found)]


def _load(entry: EntryPoint) -> BackboneSpec:
    package = _package(entry)
    _check_name(entry.name, package)
    try:
        spec = entry.load()
    except Exception as error:
        message = (
            f"The backbone {entry.name!r} of package {package!r} cannot be loaded "
            f"({type(error).__name__}: {error}). Reinstall or update {package}."
        )
        raise BackboneError(message) from error
    if not isinstance(spec, BackboneSpec) or spec.name != entry.name:
        message = (
            f"The entry point {entry.name!r} of package {package!r} must name a BackboneSpec "
            f"with that name. Received: {spec!r}"
        )
        raise BackboneError(message)
    return replace(spec, package=package)


def _check_name(name: str, owner: str) -> None:
    if SEPARATOR in name:
        message = (
            f"The backbone name {name!r} of {owner} must hold no {SEPARATOR!r}, after which a name "
            "takes its options. Choose another."
        )
        raise BackboneError(message)


def _read_options(name: str, parts: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for part in parts:
        key, sign, text = part.partition("=")
        if not (key.isidentifier() and sign and text):
            message = (
                f"The options of the backbone {name!r} cannot be read at {part!r}. Write "
                "NAME:OPTION=VALUE, such as MobileNetV2:alpha=0.5."
            )
            raise BackboneError(message)
        options[key] = _read_value(text)
    return options


def _read_value(text: str) -> Any:
    """Return what a word means: a number, true, false or none, else itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unnamed package"


def _unknown(name: str) -> str:
    package = _absent.get(name.split(SEPARATOR, maxsplit=1)[0])
    if package == SESSION:
        return (
            f"The backbone {name!r} of this saved model was registered by hand in the session "
            "that trained it. Register it here too (register_backbone) to build a new model."
        )
    if package:
        return (
            f"The backbone {name!r} of this saved model comes from the package {package!r}, which "
            f"is not installed or cannot be loaded. Install it to build a new model: "
            f"pip install {package}"
        )
    names = list(list_backbones())
    hint = suggestion(name, names)
    return f"There is no backbone named {name!r}.{hint} Known: {', '.join(names)}."
