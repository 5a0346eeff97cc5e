# SPDX-License-Identifier: Apache-2.0
"""Bytes under keys. Knows nothing of repositories, digests or databases.

Law: a key names one ingest, is written once, and is never used again; a driver never looks at what the bytes mean.
"""
