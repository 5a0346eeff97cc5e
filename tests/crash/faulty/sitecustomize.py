# SPDX-License-Identifier: Apache-2.0
"""Gives a server under test a disk that fails on command. Python imports this by its name, in each process, at start.

`FAULTS` names a file of JSON: by the name of a call of the file interface, an error number, or seconds to hang. While
the file is not there, the disk is sound.
"""

import json
import os
import time
from functools import wraps
from pathlib import Path

from wharfinger.blobstore import guarded
from wharfinger.blobstore.files import Files

CALLS = ("open_part", "write", "sync_data", "sync", "rename", "sync_folder", "unlink", "open_to_read", "read", "size")
FAULTS = Path(os.environ["FAULTS"])
DEADLINE = float(os.environ.get("FAULTS_DEADLINE", "0"))


def faults():
    try:
        return json.loads(FAULTS.read_text())
    except FileNotFoundError:
        return {}


def failing(name, sound):
    @wraps(sound)
    def call(*arguments, **options):
        fault = faults().get(name)
        if fault is not None and "errno" in fault:
            raise OSError(fault["errno"], os.strerror(fault["errno"]))
        if fault is not None:
            time.sleep(fault["seconds"])
        return sound(*arguments, **options)

    return call


for one in CALLS:
    setattr(Files, one, failing(one, getattr(Files, one)))
if DEADLINE:
    patient = guarded.GuardedBlobStore.__init__

    def impatient(store, inner, *, timeout, observe):  # noqa: ARG001 - the deadline of the product is a minute
        patient(store, inner, timeout=DEADLINE, observe=observe)

    guarded.GuardedBlobStore.__init__ = impatient
