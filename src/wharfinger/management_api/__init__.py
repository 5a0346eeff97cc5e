# SPDX-License-Identifier: Apache-2.0
"""The door for programs that manage: JSON under `/api/v1`, described by an OpenAPI document (ADR 0027)."""
