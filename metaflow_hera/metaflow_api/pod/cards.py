"""Where cards are kept when they are files of this machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from metaflow.metaflow_config import CARD_SUFFIX, DATASTORE_LOCAL_DIR

from metaflow_hera.contract.environment import CARDS


def local_cards() -> str:
    """The folder in which Metaflow looks for the cards of runs: for a pod it is that of the user's folder."""
    if CARDS in os.environ:
        return os.environ[CARDS]
    from metaflow.plugins.cards.card_datastore import CardDatastore  # which a pod does not need

    return os.path.abspath(str(CardDatastore.get_storage_root("local")))


def share_cards() -> None:
    """Let the cards of a task that runs in this working folder go to the folder that `CARDS` names.

    Metaflow keeps them below `.metaflow` of the working folder, wherever the datastore is, and has no setting
    for another place that works (plugins/cards/card_datastore.py).
    """
    if CARDS not in os.environ:
        return
    there, here = Path(os.environ[CARDS]), Path(DATASTORE_LOCAL_DIR, CARD_SUFFIX)
    for folder in (there, here.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # an earlier task of this pod
        here.symlink_to(there)
