# SPDX-License-Identifier: Apache-2.0
"""What one worker process serves: the doors over the services, behind the edge.

Apart from `bootstrap`, because the main process and the background jobs serve nothing: they start sooner for not
loading what does.
"""

from wharfinger import bootstrap, telemetry
from wharfinger.bootstrap import Deployment
from wharfinger.console.door import Console
from wharfinger.distribution_api.door import DistributionAPI
from wharfinger.settings import Settings
from wharfinger.web.authentication import Challenge, Entrance, basic_challenge, bearer_challenge
from wharfinger.web.edge import Door, Edge, EdgeRules
from wharfinger.web.probes import PATHS as PROBE_PATHS
from wharfinger.web.probes import Probes
from wharfinger.web.requests import Proxies, Visit
from wharfinger.web.routing import Limits


def application(settings: Settings) -> Edge:
    """Return the site of one worker process."""
    bootstrap.configure_log(settings)
    deployment = bootstrap.build(settings)
    probes = Probes(deployment.services.health, open_metrics=False)
    limits = Limits(
        body_deadline=settings.http.timeouts.body.total_seconds(),
        catalog_page=settings.catalog.maxentries,
        tags_page=settings.tags.maxtags,
    )
    identity = deployment.services.identity
    entrance = None if identity is None else Entrance(identity, _challenge(settings))
    doors: dict[str, Door] = {
        "/v2": DistributionAPI(deployment.services, limits, entrance),
        **dict.fromkeys(PROBE_PATHS, probes),
        "": Console(
            deployment.services, entrance=entrance, host=settings.http.host, prefix=settings.http.prefix.rstrip("/")
        ),
    }
    return _edge(settings, doors, deployment)


def _challenge(settings: Settings) -> Challenge:
    """Return how callers are asked to sign in."""
    token = settings.auth.token
    if token.realm is None:
        return basic_challenge(settings.auth.htpasswd.realm)
    if token.autoredirect:
        return bearer_challenge(_own_token_endpoint, token.service)
    realm = token.realm
    return bearer_challenge(lambda _visit: realm, token.service)


def _own_token_endpoint(visit: Visit) -> str:
    """Return the token endpoint beside us, behind the same proxy, as distribution's `autoredirect` names it."""
    return f"{visit.scheme}://{visit.header(b'host')}/auth/token"


def debug_application(settings: Settings) -> Edge:
    """Return the site of the debug listener: probes, and metrics for everybody who reaches it."""
    bootstrap.configure_log(settings)
    deployment = bootstrap.build(settings)
    prometheus = settings.http.debug.prometheus
    probes = Probes(deployment.services.health, open_metrics=prometheus.enabled, metrics_path=prometheus.path)
    return _edge(settings, {"": probes}, deployment)


def _edge(settings: Settings, doors: dict[str, Door], deployment: Deployment) -> Edge:
    headers = [
        (name.lower().encode(), value.encode()) for name, values in settings.http.headers.items() for value in values
    ]
    if not any(name == b"x-content-type-options" for name, _ in headers):
        headers.append((b"x-content-type-options", b"nosniff"))
    headers.append((b"docker-distribution-api-version", b"registry/2.0"))
    networks = [network for network in settings.http.trustedproxies if not isinstance(network, str)]
    proxies = Proxies(networks, unix="unix" in settings.http.trustedproxies)
    rules = EdgeRules(
        proxies=proxies,
        headers=headers,
        prefix=settings.http.prefix.rstrip("/"),
        is_open=settings.auth.kind in {None, "none"},
    )
    line = telemetry.RequestLine(
        settings.log.formatter, settings.log.fields, enabled=not settings.log.accesslog.disabled
    )
    telemetry.UP_SINCE.set_to_current_time()
    return Edge(doors, rules, line, started=deployment.start, stopped=deployment.aclose)
