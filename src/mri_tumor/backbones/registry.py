"""Find backbones by name, among the built-in ones, plugins and those of this session."""

from __future__ import annotations

import difflib
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from mri_tumor.backbones.spec import BackboneSpec
from mri_tumor.errors import BackboneError

GROUP = "mri_tumor.backbones"

# Backbones registered by hand in this process; plugins are found through entry points.
_registered: dict[str, BackboneSpec] = {}


def register_backbone(spec: BackboneSpec) -> BackboneSpec:
    """Make a backbone available by its name in this process.

    Parameters
    ----------
    spec : BackboneSpec
        The backbone. A package registers one for everybody through the entry-point group
        ``mri_tumor.backbones`` instead.

    Returns
    -------
    BackboneSpec
        The same object.

    Raises
    ------
    BackboneError
        If the name is taken by another backbone.
    """
    known = _registered.get(spec.name)
    owner = "this session" if known else ", ".join(map(_package, _entry_points(spec.name)))
    if owner and known != spec:
        message = (
            f"The backbone name {spec.name!r} is taken by {owner}. "
            "Register yours under another name."
        )
        raise BackboneError(message)
    _registered[spec.name] = replace(spec, package=spec.package or "this session")
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
        Package by backbone name, sorted by name.
    """
    found = {entry.name: _package(entry) for entry in entry_points(group=GROUP)}
    found.update({name: spec.package for name, spec in _registered.items()})
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def get_backbone(name: str | BackboneSpec) -> BackboneSpec:
    """Return the backbone of a name, loading its plugin if it has one.

    Parameters
    ----------
    name : str or BackboneSpec
        A name from `list_backbones`; a spec is returned as it is.

    Returns
    -------
    BackboneSpec
        The backbone.

    Raises
    ------
    BackboneError
        If the name is unknown or given twice, or its plugin fails to load.
    """
    if isinstance(name, BackboneSpec):
        return name
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
    """Return the distinct entry points of a name."""
    # One distribution that is on the path twice (an editable install) lists its own twice.
    found = {
        (_package(entry), entry.value): entry for entry in entry_points(group=GROUP, name=name)
    }
    return list(found.values())


def _load(entry: EntryPoint) -> BackboneSpec:
    package = _package(entry)
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


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unnamed package"


def _unknown(name: object) -> str:
    names = list(list_backbones())
    near = difflib.get_close_matches(str(name).lower(), [n.lower() for n in names], n=1)
    hint = next((f" Did you mean {n!r}?" for n in names if near and n.lower() == near[0]), "")
    return f"There is no backbone named {name!r}.{hint} Known: {', '.join(names)}."
