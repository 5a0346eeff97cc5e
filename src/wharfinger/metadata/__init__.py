# SPDX-License-Identifier: Apache-2.0
"""Rows: the only SQL, for SQLite and PostgreSQL alike.

Law: the database is the only truth. Functions here take an open connection, do their SQL and return plain values;
transactions begin and end in `database.py`, around functions that services hand in.
"""
