# SPDX-License-Identifier: Apache-2.0
"""Use cases: verbs on nouns. Transactions begin and end here; nothing here knows HTTP.

Every method that changes something takes `by`, the actor that the event names, and checks the operator's switches;
who may call it was decided at the door.
"""
