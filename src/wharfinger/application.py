# SPDX-License-Identifier: Apache-2.0
"""What one worker process serves: the doors over the services, behind the edge.

Apart from `bootstrap`, because the main process and the background jobs serve nothing: they start sooner for not
loading what does.
"""

from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from wharfinger import bootstrap, telemetry
from wharfinger.bootstrap import Deployment
from wharfinger.distribution_api.door import DistributionAPI
from wharfinger.distribution_api.token import KEYS_PATH, TokenEndpoint
from wharfinger.distribution_api.token import PATH as TOKEN_PATH
from wharfinger.domain.deployment import Setting
from wharfinger.domain.names import DEFAULT_REGISTRY, RegistryName
from wharfinger.management_api.calls import PREFIX as API_PREFIX
from wharfinger.management_api.door import ManagementAPI
from wharfinger.services import Services
from wharfinger.services.identity import Identity
from wharfinger.services.sign_in import AccountIdentity
from wharfinger.services.tokens import service_of
from wharfinger.settings import Settings, SignIn, where_to_sign_in
from wharfinger.web.authentication import Challenge, Entrance, basic_challenge, bearer_challenge, either_challenge
from wharfinger.web.edge import Door, Edge, EdgeRules
from wharfinger.web.late import LateDoor
from wharfinger.web.probes import PATHS as PROBE_PATHS
from wharfinger.web.probes import Probes
from wharfinger.web.requests import Proxies, Visit
from wharfinger.web.routing import Limits


def application(settings: Settings, shown: Sequence[Setting] = ()) -> Edge:
    """Return the site of one worker process.

    Args:
        settings: what counts.
        shown: the same for people, each with where it was said.
    """
    bootstrap.configure_log(settings)
    deployment = bootstrap.build(settings, shown)
    probes = Probes(deployment.services.health, open_metrics=False)
    limits = Limits(
        body_deadline=settings.http.timeouts.body.total_seconds(),
        catalog_page=settings.catalog.maxentries,
        tags_page=settings.tags.maxtags,
    )
    services, identity = deployment.services, deployment.services.identity
    doors: dict[str, Door] = {
        "/v2": DistributionAPI(services, limits, _entrance(identity, _challenge(settings))),
        API_PREFIX: ManagementAPI(services, limits, _entrance(identity, _challenge_to_programs(settings))),
        **dict.fromkeys(PROBE_PATHS, probes),
    }
    if isinstance(identity, AccountIdentity):
        doors[TOKEN_PATH] = doors[KEYS_PATH] = TokenEndpoint(services, identity, limits)
    doors[""] = LateDoor(partial(_console, settings, services, limits))
    return _edge(settings, doors, deployment)


def _console(settings: Settings, services: Services, limits: Limits) -> Door:
    from wharfinger.console.door import Console  # noqa: PLC0415 - loaded with the first page, see `LateDoor`

    return Console(
        services,
        entrance=_entrance(services.identity, _challenge_to_people(settings)),
        host=settings.http.host,
        prefix=_prefix(settings),
        body_deadline=limits.body_deadline,
    )


def _entrance(identity: Identity | None, challenge: Challenge) -> Entrance | None:
    return None if identity is None else Entrance(identity, challenge)


def _challenge(settings: Settings) -> Challenge:
    """Return how clients are asked to sign in."""
    token = settings.auth.token
    match settings.auth.kind:
        case "htpasswd":
            return basic_challenge(settings.auth.htpasswd.realm)
        case "token" if token.autoredirect:
            # As distribution names it: the token endpoint beside us, behind the same proxy.
            return bearer_challenge(
                lambda visit, _registry: f"{_base(settings, visit, said=False)}{token.autoredirectpath}",
                lambda _registry: token.service,
            )
        case "token":
            realm = str(token.realm)
            return bearer_challenge(lambda _visit, _registry: realm, lambda _registry: token.service)
        case _:
            return bearer_challenge(
                lambda visit, registry: f"{_site(settings, visit, registry)}{_prefix(settings)}{TOKEN_PATH}", service_of
            )


def _challenge_to_people(settings: Settings) -> Challenge:
    """Return how a browser is asked: it knows passwords, and no tokens."""
    return _challenge(settings) if settings.auth.kind == "token" else basic_challenge(settings.auth.htpasswd.realm)


def _challenge_to_programs(settings: Settings) -> Challenge:
    """Return how programs that manage are asked: tokens of their own, or a password; not those of the protocol."""
    if settings.auth.kind in {"token", "htpasswd"}:
        return _challenge(settings)
    return either_challenge(settings.auth.htpasswd.realm)


def _base(settings: Settings, visit: Visit, *, said: bool = True) -> str:
    """Return scheme and host under which this client reaches us."""
    if said and settings.http.host is not None:
        parts = urlsplit(settings.http.host if "//" in settings.http.host else f"https://{settings.http.host}")
        return f"{parts.scheme}://{parts.netloc}"
    return f"{visit.scheme}://{visit.header(b'host')}"


def _site(settings: Settings, visit: Visit, registry: RegistryName) -> str:
    """Return scheme and host under which this client reaches a registry: tokens are given where it asked for them.

    `http.host` is the address of `default`; whether clients come by TLS it says for all.
    """
    if registry == DEFAULT_REGISTRY or settings.http.host is None:
        return _base(settings, visit)
    return f"{urlsplit(_base(settings, visit)).scheme}://{visit.header(b'host')}"


def _prefix(settings: Settings) -> str:
    return settings.http.prefix.rstrip("/")


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
        prefix=_prefix(settings),
        beside=(*PROBE_PATHS, settings.http.debug.prometheus.path),
        tls_to_sign_in=settings.auth.kind is None and where_to_sign_in(settings) is not SignIn.ANYWHERE,
        is_open=settings.auth.kind in {None, "none"},
    )
    line = telemetry.RequestLine(
        settings.log.formatter, settings.log.fields, enabled=not settings.log.accesslog.disabled
    )
    telemetry.UP_SINCE.set_to_current_time()
    return Edge(doors, rules, line, started=deployment.start, stopped=deployment.aclose)
