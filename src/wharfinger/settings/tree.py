# SPDX-License-Identifier: Apache-2.0
"""Every setting: its place, type, default and one line of help.

The names are those of CNCF distribution's `config.yml`, so that an operator brings the file along; what is ours
besides says so in its help. `docs/guide/settings.md` is generated from here.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from wharfinger.settings.kinds import (
    ALGORITHMS,
    BOOLEAN,
    COUNT,
    DATABASE,
    DESTINATIONS,
    DOMAIN,
    DURATION,
    FIELDS,
    GRACE,
    HEADERS,
    LABEL,
    LIFETIME,
    LIMIT,
    LISTENER,
    NETWORKS,
    PAGE_SIZE,
    PATH,
    PATTERNS,
    PLACE,
    PORTS,
    PREFIX,
    PROVIDER,
    PROXIES,
    RATE,
    SECRET,
    SECRET_HEADERS,
    SIZE,
    SPAN,
    STATUS,
    TARGET,
    TEXT,
    TEXTS,
    URL,
    URL_PATH,
    WORKERS,
    Records,
    about,
    words,
)
from wharfinger.settings.values import Network, Proxy, Secret

MEBIBYTE = 1024 * 1024


# --- log -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLog:
    """The line for each request."""

    disabled: bool = field(default=False, metadata=about(BOOLEAN, "Write no line for each request."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is logged, and how."""

    level: Literal["error", "warn", "info", "debug"] = field(
        default="info", metadata=about(words("error", "warn", "info", "debug"), "The least important lines to write.")
    )
    formatter: Literal["text", "json", "logstash"] = field(
        default="text", metadata=about(words("text", "json", "logstash"), "The form of a line.")
    )
    fields: Mapping[str, str] = field(
        default_factory=dict, metadata=about(FIELDS, "Fields with fixed values, added to every line.")
    )
    accesslog: AccessLog = field(default_factory=AccessLog)


# --- storage ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystem:
    """Blobs on a local disk."""

    rootdirectory: Path = field(
        default=Path("/var/lib/registry"),
        metadata=about(PATH, "Where everything is kept: the blobs and, with SQLite, the database. Made if missing."),
    )
    maxthreads: int = field(
        default=100, metadata=about(COUNT, "The most file operations that run at the same time in one process.")
    )
    reserve: int = field(
        default=256 * MEBIBYTE,
        metadata=about(
            SIZE, "Ours. Uploads are refused while less than this is free, so that deletes and collection still work."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """The deletion switch."""

    enabled: bool | None = field(
        default=None,
        metadata=about(
            BOOLEAN,
            "Allow requests to delete tags, manifests and blobs.",
            unset="depends on the mode: false in open mode",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPurging:
    """The end of uploads that nobody finished."""

    enabled: bool = field(default=True, metadata=about(BOOLEAN, "Remove uploads that were never finished."))
    age: timedelta = field(
        default=timedelta(hours=168), metadata=about(SPAN, "How long an upload may rest before it is removed.")
    )
    interval: timedelta = field(
        default=timedelta(hours=24), metadata=about(SPAN, "How often old uploads are looked for.")
    )
    dryrun: bool = field(default=False, metadata=about(BOOLEAN, "Only log which uploads would be removed."))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnly:
    """The read-only switch."""

    enabled: bool = field(default=False, metadata=about(BOOLEAN, "Take no writes. Collection needs no such pause."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """What is done to the storage in the background."""

    uploadpurging: UploadPurging = field(default_factory=UploadPurging)
    readonly: ReadOnly = field(default_factory=ReadOnly)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where blobs are, and what may happen to them."""

    filesystem: Filesystem = field(default_factory=Filesystem)
    delete: Delete = field(default_factory=Delete)
    maintenance: Maintenance = field(default_factory=Maintenance)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedStorage:
    """One more place for blobs, for a registry of its own."""

    name: str = field(default="", metadata=about(LABEL, "Its name, in the list that a new registry chooses from."))
    rootdirectory: Path = field(
        default=Path(),
        metadata=about(PATH, "Where the blobs are kept. Made if missing. One storage serves one registry."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """Registries besides `default`: the host names under which they answer."""

    publicdomain: str | None = field(
        default=None,
        metadata=about(DOMAIN, "Ours. A registry answers on `NAME.` and this domain.", unset="none"),
    )
    privatedomain: str | None = field(
        default=None,
        metadata=about(
            DOMAIN,
            "Ours. A registry answers on an id of its own and this domain, to `registries.privatenetworks` alone.",
            unset="none",
        ),
    )
    privatenetworks: tuple[Network, ...] = field(
        default=(), metadata=about(NETWORKS, "Ours. The addresses of clients to which private endpoints answer.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where metadata is."""

    url: Secret | None = field(
        default=None,
        metadata=about(
            DATABASE,
            "Ours. `postgresql://USER:PASSWORD@HOST/NAME`. A secret.",
            unset="an SQLite file under `storage.filesystem.rootdirectory`",
        ),
    )
    migrate: Literal["auto", "manual"] = field(
        default="auto",
        metadata=about(
            words("auto", "manual"), "Ours. `auto`: start-up brings the schema up to date; `manual`: an operator does."
        ),
    )


# --- http ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """Our own TLS; leave it out behind a proxy that does it."""

    certificate: Path | None = field(default=None, metadata=about(PATH, "The certificate and its chain, in PEM."))
    key: Path | None = field(default=None, metadata=about(PATH, "The private key of the certificate, in PEM."))
    minimumtls: Literal["tls1.2", "tls1.3"] = field(
        default="tls1.2",
        metadata=about(words("tls1.2", "tls1.3"), "The oldest version of TLS to speak. Older ones are not offered."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """Metrics."""

    enabled: bool = field(default=False, metadata=about(BOOLEAN, "Serve metrics on `http.debug.addr`."))
    path: str = field(default="/metrics", metadata=about(TEXT, "The path of the metrics."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Debug:
    """A second address, for those who watch the server."""

    addr: str | None = field(
        default=None, metadata=about(LISTENER, "Where metrics and health are served. Keep it private.")
    )
    prometheus: Prometheus = field(default_factory=Prometheus)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTP2:
    """HTTP/2 over TLS."""

    disabled: bool = field(default=False, metadata=about(BOOLEAN, "Speak only HTTP/1.1."))


@dataclass(frozen=True, slots=True, kw_only=True)
class H2C:
    """HTTP/2 without TLS."""

    enabled: bool = field(default=False, metadata=about(BOOLEAN, "Speak HTTP/2 without TLS too."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a slow client is waited for."""

    header: timedelta = field(
        default=timedelta(seconds=10), metadata=about(SPAN, "Ours. Until the headers of a request have arrived.")
    )
    body: timedelta = field(
        default=timedelta(seconds=30),
        metadata=about(SPAN, "Ours. Until the next bytes of a body arrive; a slow upload that moves is never cut off."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """The server."""

    addr: str = field(
        default="127.0.0.1:5000",
        metadata=about(
            PLACE, "Where to listen: `HOST:PORT`; `:PORT` on every interface; a path if `http.net` is unix."
        ),
    )
    net: Literal["tcp", "unix"] = field(
        default="tcp", metadata=about(words("tcp", "unix"), "What `http.addr` is: an address or a Unix socket.")
    )
    host: str | None = field(
        default=None,
        metadata=about(URL, "The URL under which clients reach the server.", unset="taken from each request"),
    )
    secret: Secret | None = field(
        default=None,
        metadata=about(
            SECRET,
            "Seals what is kept secret, such as keys that sign tokens: 32 random characters or more. A secret.",
            unset="a file beside the SQLite database",
        ),
    )
    prefix: str = field(
        default="/",
        metadata=about(
            PREFIX,
            "The path before `/v2/`, if it is not `/`. Outside it all is 404, but for the probes.",
        ),
    )
    headers: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=about(HEADERS, "Headers added to every answer. `X-Content-Type-Options: nosniff` is always sent."),
    )
    draintimeout: timedelta = field(
        default=timedelta(seconds=6),
        metadata=about(DURATION, "How long requests may go on after the signal to stop. Docker kills after 10s."),
    )
    workers: int | None = field(
        default=None,
        metadata=about(
            WORKERS, "Ours. How many processes serve requests.", unset="auto: one for each usable core, at most 4"
        ),
    )
    trustedproxies: tuple[Proxy, ...] = field(
        default=(ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"), "unix"),
        metadata=about(PROXIES, "Ours. Who may set forwarding headers; `unix` stands for every Unix socket."),
    )
    timeouts: Timeouts = field(default_factory=Timeouts)
    tls: TLS = field(default_factory=TLS)
    debug: Debug = field(default_factory=Debug)
    http2: HTTP2 = field(default_factory=HTTP2)
    h2c: H2C = field(default_factory=H2C)


# --- validation and lists --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """Which URLs the descriptors of a manifest may hold."""

    allow: tuple[str, ...] = field(
        default=(), metadata=about(PATTERNS, "Every URL in a pushed manifest must match one of these.")
    )
    deny: tuple[str, ...] = field(
        default=(), metadata=about(PATTERNS, "No URL in a pushed manifest may match one of these.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One platform of an image index."""

    architecture: str = field(default="", metadata=about(TEXT, "As in the index, for example `amd64`."))
    os: str = field(default="", metadata=about(TEXT, "As in the index, for example `linux`."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """Which manifests that an index lists must be there first."""

    platforms: Literal["all", "none", "list"] = field(
        default="none",
        metadata=about(
            words("all", "none", "list"),
            "Which manifests of a pushed index must be there before it. Distribution's default is `all`.",
        ),
    )
    platformlist: tuple[Platform, ...] = field(
        default=(),
        metadata=about(Records(blank=Platform, needed=("architecture", "os")), "The platforms that `list` speaks of."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """What a pushed manifest must fulfil."""

    urls: Urls = field(default_factory=Urls)
    indexes: Indexes = field(default_factory=Indexes)
    layers: Literal["required", "optional"] = field(
        default="required",
        metadata=about(
            words("required", "optional"), "Ours. Whether config and layers must be there before a manifest."
        ),
    )
    maxsize: int = field(
        default=4 * MEBIBYTE,
        metadata=about(SIZE, "Ours. The largest manifest; the specification asks for 4MiB at least."),
    )
    maxdescriptors: int = field(
        default=10_000, metadata=about(COUNT, "Ours. How many descriptors a manifest may have.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """What a pushed blob must fulfil."""

    maxsize: int | None = field(default=None, metadata=about(LIMIT, "Ours. The largest blob.", unset="none: no limit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What is checked when content is pushed."""

    disabled: bool = field(
        default=False,
        metadata=about(BOOLEAN, "Ignore `validation.manifests.urls` and `validation.manifests.indexes`."),
    )
    manifests: Manifests = field(default_factory=Manifests)
    blobs: Blobs = field(default_factory=Blobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The list of repositories."""

    maxentries: int = field(
        default=1000, metadata=about(PAGE_SIZE, "The most repositories in one answer of `/v2/_catalog`.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """Lists of tags."""

    maxtags: int = field(default=1000, metadata=about(PAGE_SIZE, "The most tags in one answer to a request with `n`."))


# --- health ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageDriver:
    """A repeated look at the blob store."""

    enabled: bool = field(default=False, metadata=about(BOOLEAN, "Try the blob store again and again."))
    interval: timedelta = field(default=timedelta(seconds=10), metadata=about(SPAN, "How often."))
    threshold: int = field(default=1, metadata=about(COUNT, "How many failures in a row make the server unhealthy."))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """A file whose presence takes the server out of rotation."""

    file: Path = field(default=Path(), metadata=about(PATH, "While this file exists, the server is unhealthy."))
    interval: timedelta = field(default=timedelta(seconds=10), metadata=about(SPAN, "How often."))
    threshold: int = field(default=1, metadata=about(COUNT, "How many failures in a row make the server unhealthy."))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """A URL that must answer."""

    uri: str = field(default="", metadata=about(URL, "What to ask with `HEAD`."))
    headers: Mapping[str, tuple[Secret, ...]] = field(
        default_factory=dict, metadata=about(SECRET_HEADERS, "Headers to send. Their values are secrets.")
    )
    statuscode: int = field(default=200, metadata=about(STATUS, "The status that means healthy."))
    timeout: timedelta = field(default=timedelta(seconds=5), metadata=about(SPAN, "How long to wait for the answer."))
    interval: timedelta = field(default=timedelta(seconds=10), metadata=about(SPAN, "How often."))
    threshold: int = field(default=1, metadata=about(COUNT, "How many failures in a row make the server unhealthy."))


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpCheck:
    """An address that must take connections."""

    addr: str = field(default="", metadata=about(TARGET, "Where to connect: `HOST:PORT`."))
    timeout: timedelta = field(default=timedelta(seconds=5), metadata=about(SPAN, "How long to wait."))
    interval: timedelta = field(default=timedelta(seconds=10), metadata=about(SPAN, "How often."))
    threshold: int = field(default=1, metadata=about(COUNT, "How many failures in a row make the server unhealthy."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What makes the server unhealthy."""

    storagedriver: StorageDriver = field(default_factory=StorageDriver)
    file: tuple[FileCheck, ...] = field(
        default=(), metadata=about(Records(blank=FileCheck, needed=("file",)), "Files that must not exist.")
    )
    http: tuple[HttpCheck, ...] = field(
        default=(), metadata=about(Records(blank=HttpCheck, needed=("uri",)), "URLs that must answer.")
    )
    tcp: tuple[TcpCheck, ...] = field(
        default=(), metadata=about(Records(blank=TcpCheck, needed=("addr",)), "Addresses that must take connections.")
    )


# --- deletion and collection -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The time in which what was deleted comes back."""

    window: timedelta = field(
        default=timedelta(hours=720),
        metadata=about(
            DURATION, "Ours. How long what was deleted can be restored. Its bytes are kept for as long, at least."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The removal of content that nothing needs, while the registry runs."""

    enabled: bool = field(default=True, metadata=about(BOOLEAN, "Ours. Remove what nothing needs any more."))
    interval: timedelta = field(
        default=timedelta(seconds=30), metadata=about(SPAN, "Ours. How often it is looked for what may be removed.")
    )
    batch: int = field(
        default=200, metadata=about(COUNT, "Ours. How much one look takes on; the next one follows if there is more.")
    )
    grace: timedelta = field(
        default=timedelta(hours=24),
        metadata=about(
            GRACE,
            "Ours. How long a blob without a manifest is kept after it was pushed, mounted or asked for. At least 1h.",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The policies by which repositories and namespaces let go of tags."""

    interval: timedelta = field(
        default=timedelta(hours=24), metadata=about(SPAN, "Ours. How often each policy runs by itself.")
    )


# --- verification ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The comparison of what is stored with its digests, in the background."""

    enabled: bool = field(default=True, metadata=about(BOOLEAN, "Ours. Verify everything again and again."))
    interval: timedelta = field(
        default=timedelta(hours=720),
        metadata=about(SPAN, "Ours. From the start of one verification of everything to that of the next."),
    )
    rate: int | None = field(
        default=10 * MEBIBYTE,
        metadata=about(RATE, "Ours. The most bytes to read in a second.", unset="none: no limit"),
    )


# --- auth ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Htpasswd:
    """Users of an htpasswd file: whoever is in it may do everything."""

    realm: str = field(default="Wharfinger", metadata=about(TEXT, "What clients show when they ask for a password."))
    path: Path | None = field(
        default=None,
        metadata=about(PATH, "The file, made with `htpasswd -B`. It is read again when it changes.", unset="none"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenServer:
    """A server of your own that gives tokens: they say who may do what."""

    realm: str | None = field(default=None, metadata=about(URL, "Where clients ask for tokens.", unset="none"))
    service: str = field(default="", metadata=about(TEXT, "The name of this registry in tokens: their `aud`."))
    issuer: str = field(default="", metadata=about(TEXT, "The name of the token server in tokens: their `iss`."))
    rootcertbundle: Path | None = field(
        default=None, metadata=about(PATH, "Certificates whose keys may sign tokens, in PEM.", unset="none")
    )
    jwks: Path | None = field(
        default=None, metadata=about(PATH, "Keys that may sign tokens, as a JSON Web Key Set.", unset="none")
    )
    signingalgorithms: tuple[str, ...] = field(
        default=(), metadata=about(ALGORITHMS, "The only algorithms to accept. Empty: any that is safe for its key.")
    )
    autoredirect: bool = field(
        default=False,
        metadata=about(BOOLEAN, "Send clients to `autoredirectpath` on the host that they asked, instead of `realm`."),
    )
    autoredirectpath: str = field(
        default="/auth/token", metadata=about(URL_PATH, "The path there, of the token endpoint.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Who may come in. One of these, written `auth: none` or as a section; without it, open on loopback only."""

    none: bool = field(
        default=False, metadata=about(BOOLEAN, "Everybody who reaches the port may push and pull: `auth: none`.")
    )
    htpasswd: Htpasswd = field(default_factory=Htpasswd)
    token: TokenServer = field(default_factory=TokenServer)

    @property
    def kind(self) -> Literal["none", "htpasswd", "token"] | None:
        """Which one was chosen."""
        if self.htpasswd.path is not None:
            return "htpasswd"
        if self.token.realm is not None:
            return "token"
        return "none" if self.none else None


# --- requests to others ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """Where requests of the registry's own may go: to issuers of identity tokens, for their keys."""

    allow: tuple[str, ...] = field(
        default=(),
        metadata=about(
            DESTINATIONS,
            "Ours. Where the registry may connect to besides the public internet: addresses, networks and names of "
            "hosts. A host that is named may have any address and any port, and may speak plain `http`.",
        ),
    )
    ports: tuple[int, ...] = field(
        default=(), metadata=about(PORTS, "Ours. Ports besides 80 and 443 that it may connect to on every host.")
    )
    authorities: Path | None = field(
        default=None,
        metadata=about(
            PATH,
            "Ours. Certificates in PEM whose owners may vouch for other servers, besides the public authorities.",
            unset="none: the public authorities alone",
        ),
    )


# --- workload identity -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads:
    """CI jobs and clusters that sign in with their own identity."""

    lifetime: timedelta = field(
        default=timedelta(hours=1),
        metadata=about(
            LIFETIME,
            "Ours. How long the credential is valid that a workload gets for its identity token; from a minute to an "
            "hour.",
        ),
    )


# --- accounts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTokens:
    """Personal access tokens and access keys."""

    maxlifetime: timedelta = field(
        default=timedelta(days=366),
        metadata=about(SPAN, "Ours. The longest that a new token or access key may be valid; none is without an end."),
    )
    defaultlifetime: timedelta = field(
        default=timedelta(days=90),
        metadata=about(SPAN, "Ours. How long one is valid if nothing else is asked for; never more than the longest."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdProvider:
    """A server at which people sign in to the console."""

    name: str = field(
        default="", metadata=about(PROVIDER, "Its name in addresses and commands. A new issuer needs a new name.")
    )
    displayname: str = field(default="", metadata=about(TEXT, "What its button says. Without one, its name."))
    issuer: str = field(default="", metadata=about(URL, "Its URL, exactly as it calls itself: `iss` in its tokens."))
    clientid: str = field(default="", metadata=about(TEXT, "What this registry is called there."))
    clientsecret: Secret | None = field(
        default=None, metadata=about(SECRET, "What it was given there, if it is a confidential client.", unset="none")
    )
    scopes: tuple[str, ...] = field(
        default=("openid", "profile", "email"), metadata=about(TEXTS, "What is asked for; `openid` must be among them.")
    )
    nameclaim: str = field(
        default="preferred_username", metadata=about(TEXT, "The claim of which the name of a new account is made.")
    )
    groupsclaim: str = field(default="groups", metadata=about(TEXT, "The claim that lists somebody's groups."))
    create: bool = field(default=False, metadata=about(BOOLEAN, "Give an account to whoever signs in without one."))
    groups: tuple[str, ...] = field(
        default=(), metadata=about(TEXTS, "Only members of one of these groups may sign in. Empty: everybody.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What accounts may show, and where; it matters once there are some."""

    passwords: bool = field(
        default=True,
        metadata=about(
            BOOLEAN, "Ours. Take passwords of accounts at `docker login` and `/v2/`; tokens and keys always work there."
        ),
    )
    anonymouspull: bool = field(
        default=True,
        metadata=about(
            BOOLEAN, "Ours. Public repositories are for everybody. If not, public means every account that signed in."
        ),
    )
    allowplain: bool = field(
        default=False,
        metadata=about(
            BOOLEAN, "Ours. Take passwords and tokens without TLS from other machines too, for all on the way to read."
        ),
    )
    secondfactor: str = field(
        default="optional",
        metadata=about(
            words("optional", "required"),
            "Ours. Whether who signs in with a password needs a second factor too; then passwords work in the console "
            "only.",
        ),
    )
    tokens: AccountTokens = field(default_factory=AccountTokens)
    oidc: tuple[OpenIdProvider, ...] = field(
        default=(),
        metadata=about(
            Records(blank=OpenIdProvider, needed=("name", "issuer", "clientid")),
            "Ours. Servers at which people sign in to the console: single sign-on.",
        ),
    )


# --- all of it -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, with defaults where nothing was said."""

    auth: Auth = field(default_factory=Auth)
    accounts: Accounts = field(default_factory=Accounts)
    log: Log = field(default_factory=Log)
    storage: Storage = field(default_factory=Storage)
    storages: tuple[NamedStorage, ...] = field(
        default=(),
        metadata=about(
            Records(blank=NamedStorage, needed=("name", "rootdirectory")),
            "Ours. Storages for registries besides `default`, each a directory; buckets come with the S3 driver.",
        ),
    )
    registries: Registries = field(default_factory=Registries)
    database: Database = field(default_factory=Database)
    http: Http = field(default_factory=Http)
    validation: Validation = field(default_factory=Validation)
    catalog: Catalog = field(default_factory=Catalog)
    tags: Tags = field(default_factory=Tags)
    health: Health = field(default_factory=Health)
    outbound: Outbound = field(default_factory=Outbound)
    workloads: Workloads = field(default_factory=Workloads)
    undo: Undo = field(default_factory=Undo)
    collection: Collection = field(default_factory=Collection)
    retention: Retention = field(default_factory=Retention)
    verification: Verification = field(default_factory=Verification)
