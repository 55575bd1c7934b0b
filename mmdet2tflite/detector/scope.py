"""Whose names a config uses: mmdet's, or mmrotate's and mmdet's. Child processes only."""

import importlib
from collections.abc import Mapping
from typing import Any

ROTATED, UPRIGHT = "mmrotate", "mmdet"
"""Values of ``default_scope`` in a config file."""


def is_rotated(cfg: Mapping[str, Any]) -> bool:
    """Whether it is a config of mmrotate's, whose boxes are oriented."""
    return bool(cfg.get("default_scope") == ROTATED)


def enter_scope(cfg: Mapping[str, Any]) -> None:
    """Register what the config may name, and look names up where it does.

    mmengine finds a name without a prefix in the scope's own registry alone. mmrotate's learn
    mmdet's names, with ours among them, so that both kinds of detector have one pipeline.
    """
    from mmengine.registry import init_default_scope

    scope = ROTATED if is_rotated(cfg) else UPRIGHT
    importlib.import_module("mmdet.utils").register_all_modules(init_default_scope=False)
    if scope == ROTATED:
        importlib.import_module("mmrotate.utils").register_all_modules(init_default_scope=False)
        from mmdet2tflite.detector.rotated import coco_metric  # noqa: F401  (it registers itself)

        _teach_mmdets_names()
    init_default_scope(scope)


def _teach_mmdets_names() -> None:
    from mmengine.registry import Registry

    ours, theirs = (importlib.import_module(f"{scope}.registry") for scope in (ROTATED, UPRIGHT))
    for kind, registry in vars(theirs).items():
        known = getattr(ours, kind, None)
        if not isinstance(known, Registry):
            continue
        for name, module in registry.module_dict.items():
            if name not in known.module_dict:
                known.register_module(name=name, module=module)
