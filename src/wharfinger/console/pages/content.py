# SPDX-License-Identifier: Apache-2.0
"""Kinds of content that are taken: switches of the deployment, and of a namespace for whoever governs it."""

from collections.abc import Mapping
from typing import Final

from wharfinger.console.accounts import tried
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.administration import MANAGE, READ, manages
from wharfinger.console.pages.administration import PATH as ADMINISTRATION
from wharfinger.console.routing import Route
from wharfinger.domain.content import ContentKind
from wharfinger.domain.errors import NamespaceUnknown
from wharfinger.domain.management import Target, Task
from wharfinger.services.namespaces import NamespaceChange
from wharfinger.web.access import Managing

_PATH: Final = f"{ADMINISTRATION}/content"
_IN_NAMESPACE: Final = "/accounts/{namespace}/-/access/content"
KINDS: Final = (
    (
        ContentKind.IMAGE,
        mark("Container images"),
        mark("For one platform or for several. Signatures and provenance that travel with an image are part of it."),
    ),
    (ContentKind.CHART, mark("Helm charts"), mark("With their provenance files.")),
    (
        ContentKind.ARTIFACT,
        mark("Other artifacts"),
        mark("Whatever else oras and its like push. What is attached to content that is taken is always taken."),
    ),
)


async def show(call: Call) -> View:
    """Show which kinds of content the deployment takes."""
    return View(
        template="administration/content.html",
        values={
            "tab": "content",
            "kinds": KINDS,
            "off": await call.services.content.off(),
            "manages": await manages(call),
        },
    )


async def change(call: Call) -> Leave:
    """Say which kinds of content the deployment takes."""
    await call.services.content.change(_chosen(call), call.by)
    text = mark("The deployment takes what is chosen. What is there is pulled as before.")
    return Leave(to=_PATH, flash=Flash(text=text))


async def values_of(call: Call, namespace: str) -> Mapping[str, object]:
    """Return what the form `accounts/content.html` shows; whether it is shown, `governs` says."""
    try:
        off = (await call.services.namespaces.find(call.registry, namespace)).kinds_off
    except NamespaceUnknown:  # it is made with its first repository, or with its first change
        off = frozenset()
    return {
        "kinds": KINDS,
        "kinds_off": off,
        "kinds_off_everywhere": await call.services.content.off(),
        "governs_content": await call.can(Task.GOVERN, Target.NAMESPACE, namespace),
    }


async def change_in_namespace(call: Call) -> Leave:
    """Say which kinds of content a namespace takes."""
    namespace = call.parameters["namespace"]

    async def work() -> None:
        await call.services.namespaces.change(call.registry, namespace, NamespaceChange(taken=_chosen(call)), call.by)

    text = mark("%(namespace)s takes what is chosen. What is there is pulled as before.")
    done = Flash(text=text, values={"namespace": namespace})
    back = call.form.get("back") == "settings"
    to = call.within(f"/accounts/{namespace}/-/{'settings' if back else 'access'}")
    return await tried(work(), to, done, mark("%(namespace)s stays as it is."))


def _chosen(call: Call) -> Mapping[ContentKind, bool]:
    return {kind: call.form.is_checked(f"takes-{kind}") for kind in ContentKind}


ROUTES: Final = (
    Route("GET", _PATH, READ, show),
    Route("POST", _PATH, MANAGE, change),
    Route("POST", _IN_NAMESPACE, Managing(Task.GOVERN, Target.NAMESPACE), change_in_namespace),
)
