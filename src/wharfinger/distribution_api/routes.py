# SPDX-License-Identifier: Apache-2.0
"""Every endpoint of the protocol: method, path, what the caller must be allowed, and who answers."""

from typing import Final

from wharfinger.distribution_api import blobs, catalog, manifests, referrers, tags, uploads
from wharfinger.domain.access import Action
from wharfinger.web.routing import Route

ROUTES: Final = (
    Route("GET", "", Action.VISIT, catalog.version),
    Route("HEAD", "", Action.VISIT, catalog.version),
    Route("GET", "_catalog", Action.LIST, catalog.repositories),
    Route("GET", "_oci/ext/discover", Action.VISIT, catalog.extensions),
    Route("GET", "{name}/_oci/ext/discover", Action.PULL, catalog.extensions),
    Route("GET", "{name}/blobs/{digest}", Action.PULL, blobs.get),
    Route("HEAD", "{name}/blobs/{digest}", Action.PULL, blobs.head),
    Route("DELETE", "{name}/blobs/{digest}", Action.DELETE, blobs.delete),
    Route("POST", "{name}/blobs/uploads/", Action.PUSH, uploads.start),
    Route("POST", "{name}/blobs/uploads", Action.PUSH, uploads.start),
    Route("GET", "{name}/blobs/uploads/{upload}", Action.PUSH, uploads.status),
    Route("PATCH", "{name}/blobs/uploads/{upload}", Action.PUSH, uploads.append),
    Route("PUT", "{name}/blobs/uploads/{upload}", Action.PUSH, uploads.complete),
    Route("DELETE", "{name}/blobs/uploads/{upload}", Action.PUSH, uploads.cancel),
    Route("GET", "{name}/manifests/{reference}", Action.PULL, manifests.get),
    Route("HEAD", "{name}/manifests/{reference}", Action.PULL, manifests.head),
    Route("PUT", "{name}/manifests/{reference}", Action.PUSH, manifests.put),
    Route("DELETE", "{name}/manifests/{reference}", Action.DELETE, manifests.delete),
    Route("GET", "{name}/tags/list", Action.PULL, tags.list_tags),
    Route("GET", "{name}/referrers/{digest}", Action.PULL, referrers.list_referrers),
)
