# SPDX-License-Identifier: Apache-2.0
"""Setting a tag back to what it has named: a page that asks, and the form that does it."""

from typing import Final

from wharfinger.console import confirmations
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked
from wharfinger.console.flashes import Flash
from wharfinger.console.insides import short
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import ContentGone, ManifestUnknown, ReadOnly, TagImmutable
from wharfinger.domain.names import TagName
from wharfinger.web.access import OnRepository


async def ask(call: Call) -> View:
    """Ask whether the tag is to name something that it has named."""
    tag, to = TagName(call.parameters["tag"]), parse_digest(call.query.get("to", ""))
    return confirmations.ask(
        Asked(
            title=mark("Set %(tag)s back to %(digest)s?"),
            texts=(
                mark(
                    "Whoever pulls %(tag)s gets that content from then on. A manifest in the trash comes back with it."
                ),
                mark("The history keeps what %(tag)s names now, so this can be undone in the same way."),
            ),
            values={"tag": tag, "digest": short(to)},
            to=_path(call, tag) + "/restore",
            button=mark("Restore"),
            back=_path(call, tag),
            fields=(("to", to),),
        )
    )


async def restore(call: Call) -> Leave:
    """Set the tag back."""
    tag, to = TagName(call.parameters["tag"]), parse_digest(call.form.text("to"))
    flash = await _restored(call, tag, to)
    return Leave(to=_path(call, tag), flash=flash)


async def _restored(call: Call, tag: TagName, to: Digest) -> Flash:
    try:
        digest = await call.services.tags.restore(call.registry, call.name, tag, call.by, to=to)
    except (ContentGone, ManifestUnknown, ReadOnly, TagImmutable) as error:
        return Flash(
            text=mark("The tag %(tag)s was not restored."), values={"tag": tag}, said=error.message, failed=True
        )
    return Flash(text=mark("The tag %(tag)s names %(digest)s again."), values={"tag": tag, "digest": short(digest)})


def _path(call: Call, tag: TagName) -> str:
    return call.repository_path(f"tags/{tag}")


_DELETE: Final = OnRepository(Action.DELETE)
ROUTES: Final = (
    Route("GET", "/repositories/{name}/-/tags/{tag}/restore", _DELETE, ask),
    Route("POST", "/repositories/{name}/-/tags/{tag}/restore", _DELETE, restore),
)
