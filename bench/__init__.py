# SPDX-License-Identifier: Apache-2.0
"""Measures Wharfinger beside docker-registry and nginx, in one run, on one machine.

```text
scenarios   what is measured, and what is to be reached
  ├─ content, fill   the same images and blobs for every server
  ├─ load, push      the clients, on a core of their own
  └─ measure         time, CPU and memory of a server's processes
peers       the servers, on the other core
verdicts    ratios and targets
report      the terminal and docs/performance.md
profiles    where the time of a missed target goes
```

An absolute number belongs to the machine and the minute; only what was measured in the same round is compared.
"""
